from tests.models.model_fixtures import batch

__all__ = ["batch"]
