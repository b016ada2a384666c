"""Networks side by side, and a protocol that cannot peek."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from focal_edu import recorded
from focal_edu.pytorch import sigmoid_focal_loss
from focal_edu.training import (
    Parts,
    Perceptrons,
    batches,
    paired_difference,
    prevalence_weights,
    train,
    tune,
)


def data(count=60, features=5, seed=0):
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(count, features)).astype("float32")
    return inputs, (inputs[:, 0] > 0.8).astype("float32")


def three_parts():
    inputs, labels = data()
    cuts = (slice(0, 20), slice(20, 40), slice(40, 60))
    return Parts(*((inputs[cut], labels[cut]) for cut in cuts))


def trained(seeds, rate=0.01, steps=20):
    inputs, labels = (torch.tensor(part) for part in data())
    model = Perceptrons(seeds, 5, hidden=4)
    many = inputs.expand(len(seeds), -1, -1), labels.expand(len(seeds), -1)

    def loss(logits, targets):
        return sigmoid_focal_loss(logits, targets, reduction="none")

    stream = batches(*many, 10, seeds)
    list(train(model, stream, loss, rate=rate, watch=(steps,)))
    return model(inputs).detach()


def test_networks_side_by_side_are_networks_alone():
    together = trained((3, 5))
    alone = torch.cat([trained((3,)), trained((5,))])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 0.1


def test_the_loop_is_adam_as_one_would_write_it():
    inputs, labels = (torch.tensor(part) for part in data())
    model = Perceptrons((0,), 5, hidden=4, prior=0.01)
    network = torch.nn.Sequential(
        torch.nn.Linear(5, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1)
    )
    for layer, name in ((network[0], "hidden"), (network[2], "last")):
        weight, bias = getattr(model, name), getattr(model, f"{name}_bias")
        layer.weight.data = (
            weight.detach().clone().flatten(0, -3).squeeze(0).T
        )
        layer.bias.data = bias.detach().clone().flatten()
    assert model.last_bias.item() == pytest.approx(-math.log(99))
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(30):
        optimiser.zero_grad()
        bce(network(inputs)[:, 0], labels).backward()
        optimiser.step()
    stream = iter(lambda: (inputs[None], labels[None]), None)
    steps = train(model, stream, bce, rate=0.02, watch=(10, 30))
    assert list(steps) == [10, 30]
    torch.testing.assert_close(
        model(inputs)[0], network(inputs)[:, 0], rtol=1e-4, atol=1e-5
    )


def test_outputs_keep_their_axis_unless_there_is_one():
    inputs = torch.zeros(7, 5)
    assert Perceptrons((0, 1), 5)(inputs).shape == (2, 7)
    assert Perceptrons((0, 1), 5, outputs=3)(inputs).shape == (2, 7, 3)
    assert Perceptrons((0, 1), 5, copies=4)(inputs).shape == (2, 4, 7)
    many = Perceptrons((0, 1), 5, copies=4, outputs=3)(inputs)
    assert many.shape == (2, 4, 7, 3)


def test_copies_are_networks_alone_each_with_its_loss():
    inputs, labels = (torch.tensor(part) for part in data())
    inputs, labels = inputs.expand(2, -1, -1), labels.expand(2, -1)

    def focal(logits, targets, gamma):
        return sigmoid_focal_loss(
            logits, targets, gamma=gamma, reduction="none"
        )

    def both(logits, targets):
        pairs = enumerate((0, 2))
        return torch.stack(
            [focal(logits[:, i], targets, gamma) for i, gamma in pairs], 1
        )

    def after(loss, **copies):
        model = Perceptrons((3, 5), 5, hidden=4, **copies)
        stream = batches(inputs, labels, 10, (3, 5))
        list(train(model, stream, loss, rate=0.01, watch=(20,)))
        return model(inputs).detach()

    together = after(both, copies=2)
    for place, gamma in enumerate((0, 2)):
        alone = after(partial(focal, gamma=gamma))
        torch.testing.assert_close(
            together[:, place], alone, rtol=1e-4, atol=1e-5
        )
    assert (together[:, 0] - together[:, 1]).abs().max() > 0.1


def test_an_epoch_shows_every_example_once():
    inputs = torch.arange(12.0).reshape(1, 12, 1)
    stream = batches(inputs, inputs[..., 0], 4, seeds=(0,))
    epochs = [[next(stream) for _ in range(3)] for _ in range(2)]
    orders = []
    for epoch in epochs:
        shown, labels = (torch.cat(p, 1) for p in zip(*epoch, strict=True))
        assert torch.equal(shown[..., 0], labels)
        orders.append(labels[0].tolist())
        assert sorted(orders[-1]) == list(range(12))
    assert orders[0] != orders[1]


def curve(train, validation, rate, gamma):
    """A trial without training: best at rate 0.1, gamma 2, 20 steps."""
    far = abs(math.log10(rate) + 1) + (gamma - 2) ** 2
    return {n: -far - abs(n - 20) / 100 for n in (10, 20, 40)}


def test_the_best_of_the_grid_is_found_and_its_edges_are_seen():
    rates, gammas = (0.01, 0.1, 1.0), (0, 1, 2, 3)
    tuned = tune(curve, three_parts(), rate=rates, gamma=gammas)
    expected = {"rate": 0.1, "gamma": 2, "steps": 20, "score": 0}
    assert tuned.best == expected
    assert tuned.at_edge == []
    assert tuned.profile("gamma") == {0: -4, 1: -1, 2: 0, 3: -1}
    assert len(tuned.rows) == 36
    assert "2*" in str(tuned) and "-4.000" in str(tuned)
    narrow = tune(curve, three_parts(), rate=rates, gamma=(0, 1, 2))
    assert narrow.at_edge == ["gamma"]
    one = tune(curve, three_parts(), rate=rates, gamma=(2,))
    assert one.at_edge == []


def test_steps_that_gain_too_little_are_not_taken():
    far = dict(rate=(0.01, 0.1, 1.0), gamma=(0, 1, 2, 3))
    tuned = tune(curve, three_parts(), tolerance=0.11, **far)
    assert tuned.best == {"rate": 0.1, "gamma": 2, "steps": 10, "score": -0.1}
    assert tuned.at_edge == ["steps"]
    tuned = tune(curve, three_parts(), tolerance=0.09, **far)
    assert tuned.best["steps"] == 20


def test_a_higher_rate_is_taken_that_does_as_well_in_fewer_steps():
    def trial(train, validation, rate):
        late = {10: 0.5, 20: 0.79, 40: 0.8}
        return late if rate == 1 else {10: 0.3, 20: 0.795, 40: 0.81}

    for tolerance, best in ((0.0, (0.5, 40)), (0.02, (0.5, 20))):
        tuned = tune(trial, three_parts(), tolerance=tolerance, rate=(0.5, 1))
        assert (tuned.best["rate"], tuned.best["steps"]) == best
    tuned = tune(trial, three_parts(), tolerance=0.31, rate=(0.5, 1))
    assert (tuned.best["rate"], tuned.best["steps"]) == (1, 10)


def test_what_diverged_is_never_best():
    def trial(train, validation, rate):
        return {1: math.nan if rate == 1 else -rate}

    tuned = tune(trial, three_parts(), rate=(1, 2, 3))
    assert tuned.best["rate"] == 2


@pytest.mark.parametrize("into", (0, 1))
def test_a_leak_is_caught(into):
    parts = three_parts()
    parts[into][0][7] = parts.test[0][3]
    with pytest.raises(ValueError, match=r"example of \w+ is in test"):
        tune(curve, parts, rate=(1, 2), gamma=(2,))


def test_the_choice_does_not_depend_on_the_test_part():
    """Tuning a real, if tiny, model: other test labels, the same rows."""

    def trial(train, validation, rate):
        x, y = train
        weights = np.linalg.solve(x.T @ x + rate * np.eye(5), x.T @ y)
        x, y = validation
        return {1: average_precision_score(y, x @ weights)}

    parts, rates = three_parts(), (0.1, 1, 10)
    first = tune(trial, parts, rate=rates)
    parts.test[0][:] += 1
    parts.test[1][:] = 1 - parts.test[1]
    assert tune(trial, parts, rate=rates) == first
    parts.validation[1][:] = 1 - parts.validation[1]
    assert tune(trial, parts, rate=rates) != first


def test_paired_difference():
    found = paired_difference([3, 5, 10], [1, 4, 7])
    assert found.mean == 2 and found.pairs == 3
    assert found.error == pytest.approx(1 / math.sqrt(3))
    assert str(found) == "+2.000 ± 0.577"
    for bad in (([1], [2]), ([1, 2], [1, 2, 3]), ([[1, 2]], [[1, 2]])):
        with pytest.raises(ValueError, match="these and those"):
            paired_difference(*bad)


def test_prevalence_weights_make_positives_rare():
    labels = np.array([1, 1, 0, 0, 0])
    weights = prevalence_weights(labels, 0.01)
    assert weights[labels == 1].sum() / weights.sum() == pytest.approx(0.01)
    # one negative (0.33) above both positives (0.005 each), by hand
    ap = average_precision_score(
        labels, [3, 4, 5, 1, 0], sample_weight=weights
    )
    assert ap == pytest.approx((0.005 / 0.335 + 0.01 / 0.34) / 2)


def test_a_recording_reads_back(tmp_path, monkeypatch):
    monkeypatch.setattr(recorded, "DATA", tmp_path)
    recording = recorded.Recording("any", "make any", seeds=[0, 1])
    rows = [{"loss": "CE", "ap": [0.1, None]}, {"loss": "FL", "ap": []}]
    recording.write(rows[:1])
    recording.write(rows)
    record = recorded.load("any")
    assert record["rows"] == rows and record["seeds"] == [0, 1]
    assert set(record["versions"]) > {"python", "torch", "numpy"}
    assert record["seconds"] == 0 and record["command"] == "make any"


def test_a_recording_goes_on_with_its_rows_and_its_time(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(recorded, "DATA", tmp_path)
    recording = recorded.Recording("any", "make any")
    recording.started = {
        unit: t - 50 for unit, t in recording.started.items()
    }
    recording.write([{"ap": 0.1}])
    assert recorded.Recording("any", "make any").rows == []
    again = recorded.Recording("any", "make any", resume=True)
    assert again.rows == [{"ap": 0.1}]
    again.write(again.rows)
    record = recorded.load("any")
    assert record["seconds"] == record["cpu_seconds"] == 50
