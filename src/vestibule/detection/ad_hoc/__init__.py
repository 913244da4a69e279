"""Recognizers that a caller sends with a text: expressions and word lists, matched in linear time."""

from vestibule.detection.ad_hoc.budget import SharedBudget
from vestibule.detection.ad_hoc.expressions import BoundedExpression, ExpressionRefused
from vestibule.detection.ad_hoc.recognizers import AdHocPattern, AdHocRecognizer, AdHocScanner

__all__ = ["AdHocPattern", "AdHocRecognizer", "AdHocScanner", "BoundedExpression", "ExpressionRefused", "SharedBudget"]
