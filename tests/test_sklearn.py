"""The scikit-learn estimator: scikit-learn's own checks, shapes of images, labels, pipelines and cross-validation."""

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from glimpse.sklearn import GlimpseClassifier

TINY = {"window": 4, "hidden": 32, "features": 32, "batch_size": 32, "learning_rate": 1e-2, "warmup": 0, "averaging": 0}
CONVNET = {"filters": 8, "batch_size": 32, "learning_rate": 1e-2, "warmup": 0, "averaging": 0}
NOT_APPLICABLE = {
    "check_methods_subset_invariance": "float32 products are rounded differently in other batches: 2e-7, not the 1e-7 that is asked"
}


def tiny(images: int = 320, **parameters: Any) -> GlimpseClassifier:
    """Returns a small estimator that trains for ten steps."""
    chosen: dict[str, Any] = {"glimpses": 2, "settings": TINY, "device": "cpu", "random_state": 0} | parameters
    return GlimpseClassifier(images=images, **chosen)


@parametrize_with_checks([tiny(images=640)])  # type: ignore[untyped-decorator]
def test_scikit_learns_checks_pass(estimator: Any, check: Any) -> None:
    if check.func.__name__ in NOT_APPLICABLE:
        pytest.skip(NOT_APPLICABLE[check.func.__name__])
    check(estimator)


def test_images_may_be_planes_rows_of_features_or_have_channels() -> None:
    images = np.random.default_rng(0).random((40, 6, 8))
    labels = np.array(["left", "right"])[(images[:, :, :4].mean(axis=(1, 2)) < images[:, :, 4:].mean(axis=(1, 2))).astype(int)]
    planes = tiny().fit(images, labels)
    rows = tiny(shape=(6, 8)).fit(images.reshape(40, 48), labels)
    channels = tiny().fit(images[:, None], labels)
    expected = planes.predict_proba(images)
    np.testing.assert_array_equal(rows.predict_proba(images.reshape(40, 48)), expected)
    np.testing.assert_array_equal(channels.predict_proba(images[:, None]), expected)
    assert planes.image_shape_ == (1, 6, 8)
    assert {*planes.predict(images)} <= {"left", "right"}
    with pytest.raises(ValueError, match=r"shape \(1, 6, 8\) as in fit, got \(1, 6, 7\)"):
        planes.predict(images[:, :, :7])


def test_a_pipeline_learns_digits_in_cross_validation() -> None:
    images, labels = load_digits(return_X_y=True)
    estimator = tiny(6400, model="convnet", glimpses=None, settings=CONVNET)
    pipeline = make_pipeline(FunctionTransformer(lambda values: values / 16), estimator)
    scores = cross_val_score(pipeline, images[:900], labels[:900], cv=2)
    assert scores.min() > 0.8


def test_a_clone_has_the_parameters_and_a_copy_the_predictions() -> None:
    images, labels = load_digits(return_X_y=True)
    fitted = tiny().fit(images[:100], labels[:100])
    copied = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    assert not hasattr(copied, "model_")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(images), fitted.predict_proba(images))


@pytest.mark.parametrize("model", ["ram", "random-glimpses"])
def test_a_prediction_depends_on_its_image_only_even_with_random_locations(model: str) -> None:
    images, labels = load_digits(return_X_y=True)
    fitted = tiny(64, model=model).fit(images[:50], labels[:50])
    np.testing.assert_allclose(fitted.predict_proba(images[:6])[::-1], fitted.predict_proba(images[:6][::-1]), atol=1e-6)


def test_unknown_models_and_settings_are_refused() -> None:
    images, labels = load_digits(return_X_y=True)
    with pytest.raises(ValueError, match="there is no model 'resnet'"):
        tiny(model="resnet").fit(images, labels)
    with pytest.raises(ValueError, match="the model glimpse has no setting filters"):
        tiny(settings={"filters": 3}).fit(images, labels)
    with pytest.raises(ValueError, match="no preset 'ram'"):
        tiny(preset="ram").fit(images, labels)
