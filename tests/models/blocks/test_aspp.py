from __future__ import annotations

import torch

from bustle.models.blocks.aspp import AtrousPyramid


def test_its_counts_are_the_published_ones():
    with torch.device("meta"):
        deeplab, ctg_net = AtrousPyramid(2048, 256), AtrousPyramid(512, 256)
    assert sum(p.numel() for p in deeplab.parameters()) == 15_535_104  # from RMTL-Net, Table 10
    assert sum(p.numel() for p in ctg_net.parameters()) == 4_131_840  # of CTG-Net, docs/explanation/papers.md


def test_a_rate_is_how_far_a_branch_sees():
    torch.manual_seed(0)
    aspp = AtrousPyramid(2, 3, rates=(2, 5)).eval()
    features = torch.zeros(1, 2, 15, 15)
    features[0, :, 7, 7] = 1
    for branch, rate in zip(list(aspp.branches)[1:], (2, 5), strict=True):
        changed = (branch[0](features) != 0).any(dim=1)[0].nonzero().tolist()
        assert changed == [[7 + dy, 7 + dx] for dy in (-rate, 0, rate) for dx in (-rate, 0, rate)]


def test_the_pooling_branch_is_the_same_everywhere_and_sees_all():
    torch.manual_seed(0)
    aspp = AtrousPyramid(2, 3, rates=(1,)).eval()
    features = torch.randn(2, 2, 6, 9)
    before = aspp(features)
    assert before.shape == (2, 3, 6, 9)
    features[:, :, 5, 8] += 100  # out of reach of the 3x3 at the other corner
    assert not torch.equal(before[..., 0, 0], aspp(features)[..., 0, 0])
