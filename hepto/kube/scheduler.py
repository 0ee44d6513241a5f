"""kube-scheduler."""

from hepto.kube import component
from hepto.kube.files import KubePlan
from hepto.kube.parameters import KubeParameters

NAME = "kube-scheduler"
PORT = 10259


def plan(parameters: KubeParameters) -> KubePlan:
    """Started when the apiserver is ready."""
    return component.plan(parameters, NAME, PORT)
