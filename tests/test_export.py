"""What the questions page says of exporting the loss."""

import pytest
import torch

from focal_edu import FocalLoss


def test_torch_export_takes_the_loss():
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    targets = (logits > 0).float()
    loss = FocalLoss(alpha=0.25)
    exported = torch.export.export(loss, (logits, targets)).module()
    torch.testing.assert_close(
        exported(logits, targets), loss(logits, targets)
    )


def test_torchscript_does_not():
    with pytest.raises(torch.jit.frontend.NotSupportedError):
        torch.jit.script(FocalLoss())
