"""Training in cycles of early stopping, then a refit on all data; resumable to the bit.

Every epoch starts from a state that is fully known: the variables of the model and of the
optimizer (the seeds of Dropout are among them), and an order of the samples that depends on seed
and epoch alone. That state is the checkpoint.
"""

import dataclasses
import math
import os
import time

import keras
import numpy as np

from glyphs import artifacts, backends, checkpoints, cli, files, optimizing, recipes
from glyphs.batches import Batches, Distortion, Pictures, balanced_weights
from glyphs.errors import ArtifactError, GlyphsError

EVALUATION_BATCH = 500


@dataclasses.dataclass
class State:
    """Where a training is, between two epochs.

    Attributes:
        phase: "search", "refit" or "done".
        cycle: number of the cycle, from 0.
        epoch: epochs done in this cycle.
        epochs_done: epochs done in all, over both phases.
        wait: epochs since the lowest val_loss of this cycle.
        cycle_best: the lowest val_loss of this cycle.
        best: val_loss, val_accuracy and number of the best epoch so far.
        stopping: epochs that each finished cycle of the search ran.
        history: one dict per epoch.
        test: loss and accuracy of the searched weights on the test split, once measured.
        seconds: training time so far.
    """

    phase: str = "search"
    cycle: int = 0
    epoch: int = 0
    epochs_done: int = 0
    wait: int = 0
    cycle_best: float = math.inf
    best: dict | None = None
    stopping: list = dataclasses.field(default_factory=list)
    history: list = dataclasses.field(default_factory=list)
    test: dict | None = None
    seconds: float = 0.0


def train(dataset, build_network, recipe, prefix, *, resume=False, on_epoch=None):
    """Train a network on a dataset and write its model files.

    Prints the log on stdout: a line per epoch, then what was measured and what was saved.

    Args:
        dataset: datasets.Dataset.
        build_network: function `(image_size, n_classes)` -> uncompiled keras.Model.
        recipe: recipes.Recipe.
        prefix: of the model files.
        resume: go on from the checkpoint of an interrupted run, if there is one.
        on_epoch: None, or a function called after each epoch with State.history.

    Returns:
        The finished Training.

    Raises:
        ArtifactError: the dataset cannot be trained on, or the checkpoint is damaged or of
            another run.
        StorageError: no space or no permission.
        KeyboardInterrupt: after Ctrl-C, with a text that says how to go on.
    """
    training = Training(dataset, build_network, recipe, prefix, on_epoch)
    training.run(resume=resume)
    return training


class Training:
    def __init__(self, dataset, build_network, recipe, prefix, on_epoch=None):
        self.dataset = dataset
        self.build_network = build_network
        self.recipe = recipe
        self.prefix = prefix
        self.on_epoch = on_epoch
        self.paths = artifacts.Paths(prefix)
        self.state = State()
        self.best_weights = None
        # What must agree before a checkpoint may be continued.
        self.identity = {
            "dataset": dataset.fingerprint,
            "backend": keras.backend.backend(),
            "keras": keras.__version__,
            "image_size": list(dataset.preprocessing.image_size),
            **recipes.to_json(recipe),
        }

    def run(self, *, resume):
        """Train from the beginning or from a checkpoint to the model files."""
        data = self.dataset
        train, val, test = (
            self.pictures(*splits) for splits in (self.train_splits(), ["val"], ["test"])
        )
        if not len(val):
            train, val = train.split(self.recipe.validation_split)
            if not len(val):
                raise ArtifactError(f"{data.path}: too few pictures to take some of them for val")
            if data.X_train_elastic is not None:
                cli.print_warning(
                    f"{data.path}: its distorted pictures are not used; they would show the "
                    "network those that it is validated on"
                )
        self.build_model(len(train))
        # A checkpoint holds the weights, the best weights and Adam's two moments, as float32.
        files.check_can_write(self.paths.checkpoint, 16 * self.model.count_params())
        if resume and not self.restore():
            return
        say(
            f"dataset {data.path}: {len(train):,} train, {len(val):,} val, "
            f"{len(test):,} test pictures of {len(data.class_names)} classes, "
            "{}x{}".format(*data.preprocessing.image_size)
        )
        say(f"network {self.recipe.network}: {self.model.count_params():,} parameters")
        warn_of_uneven_classes(train.labels, self.recipe)
        try:
            while self.state.phase == "search":
                self.run_epoch(train, val)
            while self.state.phase == "refit":
                self.run_epoch(self.all_pictures())
        except KeyboardInterrupt:
            raise KeyboardInterrupt(self.what_is_safe()) from None
        self.save()

    def train_splits(self):
        """Return the names of the splits that the search learns from.

        Where val is to be a part of train, distorted copies would show what it looks like.
        """
        data = self.dataset
        return ["train"] + ["train_elastic"] * (
            data.X_train_elastic is not None and len(data.X_val) > 0
        )

    def all_pictures(self):
        """Return the Pictures that a refit learns from."""
        return self.pictures(*self.train_splits(), "val", "test")

    def pictures(self, *splits):
        """Return the Pictures of splits, in the size that the network wants.

        Args:
            *splits: "train", "val", "test", or "train_elastic" for the distorted copies of train.
        """
        data = self.dataset
        y = {"train": data.y_train, "val": data.y_val, "test": data.y_test}
        if data.X_train_elastic is not None:
            y["train_elastic"] = np.tile(
                data.y_train, len(data.X_train_elastic) // len(data.y_train)
            )
        parts = ((getattr(data, f"X_{split}"), y[split]) for split in splits)
        return Pictures(data.preprocessing.image_size, *parts)

    def build_model(self, n_train):
        """Build and compile the network with its initial weights, the same at every call."""
        recipe, data = self.recipe, self.dataset
        keras.utils.set_random_seed(recipe.seed)
        with optimizing.precision(recipe):
            self.model = self.build_network(data.preprocessing.image_size, len(data.class_names))
        if recipe.init:
            take_weights(self.model, recipe.init, data.class_names)
        # What is measured and saved computes in float32, whatever the network learns in. It is
        # copied before compile(), whose loss a copy could not take along.
        self.float32_model = optimizing.in_float32(self.model) if recipe.mixed_precision else None
        loss = optimizing.make_loss(recipe.label_smoothing, len(data.class_names))
        self.model.compile(
            optimizer=optimizing.make_optimizer(recipe, math.ceil(n_train / recipe.batch_size)),
            loss=loss,
            metrics=["accuracy"],
        )
        self.model.optimizer.build(self.model.trainable_variables)
        if self.float32_model:
            self.float32_model.compile(loss=loss, metrics=["accuracy"])

    def finished_model(self):
        """Return the network with its present weights, computing in float32."""
        if not self.float32_model:
            return self.model
        self.float32_model.set_weights(self.model.get_weights())
        return self.float32_model

    def run_epoch(self, pictures, val=None):
        """Train one epoch, log it, decide what comes next, write the checkpoint."""
        state, recipe = self.state, self.recipe
        started = time.perf_counter()
        batches = self.batches(pictures)
        if recipe.schedule == "cycles":
            self.model.optimizer.learning_rate = recipe.learning_rates[state.cycle]
        limit = recipe.epochs if val else state.stopping[state.cycle]
        title = f"{state.phase} {state.cycle + 1}/{len(recipe.learning_rates)}"
        title += f"  epoch {state.epoch + 1:>2}/{limit}"
        progress = EpochProgress(
            len(batches), title, self.batches_left(len(batches)), self.may_stop_early()
        )
        try:
            history = self.model.fit(
                batches, epochs=1, shuffle=False, verbose=0, callbacks=progress.callbacks
            ).history
        finally:
            progress.clear()
        figures = {"loss": history["loss"][0], "accuracy": history["accuracy"][0]}
        state.epoch += 1
        state.epochs_done += 1
        if val:
            loss, accuracy = self.evaluate(val)
            figures |= {"val_loss": loss, "val_accuracy": accuracy}
        check_finite(figures, state.epochs_done)
        if val:
            self.note_best(loss, accuracy)
        seconds = time.perf_counter() - started
        state.seconds += seconds
        state.history.append(
            {
                "phase": state.phase,
                "cycle": state.cycle + 1,
                **figures,
                "learning_rate": float(self.model.optimizer.learning_rate),
            }
        )
        say(f"{title}  {format_figures(figures)}  {seconds:.1f} s")
        if recipe.save_each_gain and state.best["epoch"] == state.epochs_done:
            self.write_model("the best weights so far of a training that goes on")
        if state.epoch == limit or (val and state.wait == recipe.patience):
            self.end_cycle()
        self.write_checkpoint()
        if self.on_epoch:
            self.on_epoch(state.history)

    def batches_left(self, n_batches):
        """Return the most batches that come after this epoch of n_batches, in both phases."""
        state, recipe = self.state, self.recipe
        if state.phase == "refit":
            return (sum(state.stopping[state.cycle :]) - state.epoch - 1) * n_batches
        search = (len(recipe.learning_rates) - state.cycle) * recipe.epochs - state.epoch
        left = (search - 1) * n_batches
        if recipe.refit:
            n_refit = math.ceil(len(self.all_pictures()) / recipe.batch_size)
            left += (sum(state.stopping) + state.epoch + search) * n_refit
        return left

    def may_stop_early(self):
        return self.state.phase == "search" and self.recipe.patience is not None

    def batches(self, pictures):
        """Return the Batches of the next epoch."""
        recipe, data = self.recipe, self.dataset
        key = (recipe.seed, self.state.epochs_done)
        weights = None
        if recipe.class_weights:
            weights = balanced_weights(pictures.labels, len(data.class_names))
        return Batches(
            pictures,
            np.random.default_rng(key).permutation(len(pictures)),
            recipe.batch_size,
            distort=Distortion(recipe.augment, key) if recipe.augment else None,
            weights=weights,
        )

    def note_best(self, val_loss, val_accuracy):
        """Keep the weights if this is the lowest val_loss so far; count the wait if not."""
        state = self.state
        state.wait += 1
        if val_loss < state.cycle_best:
            state.cycle_best = val_loss
            state.wait = 0
        if state.best is None or val_loss < state.best["val_loss"]:
            state.best = {
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
                "epoch": state.epochs_done,
            }
            self.best_weights = self.model.get_weights()

    def end_cycle(self):
        """Go on to the next cycle, from the last weights; or to the next phase."""
        state, recipe = self.state, self.recipe
        if state.phase == "search":
            state.stopping.append(state.epoch)
        state.cycle += 1
        state.epoch = state.wait = 0
        state.cycle_best = math.inf
        if state.cycle < len(recipe.learning_rates):
            return
        state.cycle = 0
        if state.phase == "refit":
            self.round_weights()
            state.phase = "done"
            return
        self.model.set_weights(self.best_weights)
        self.round_weights()
        self.measure()
        if recipe.refit:
            state.phase = "refit"
            self.build_model(len(self.all_pictures()))
        else:
            state.phase = "done"

    def round_weights(self):
        """Make the weights what will be saved, before they are measured."""
        if self.recipe.half_precision:
            weights = self.model.get_weights()
            self.model.set_weights([artifacts.halved(w).astype(np.float32) for w in weights])

    def evaluate(self, pictures):
        """Return `(loss, accuracy)` of the present weights."""
        batches = Batches(pictures, np.arange(len(pictures)), EVALUATION_BATCH)
        figures = self.finished_model().evaluate(batches, verbose=0, return_dict=True)
        return figures["loss"], figures["accuracy"]

    def measure(self):
        """Measure the best weights of the search on the test split, which nothing has used yet."""
        state = self.state
        best = state.best
        say(
            f"search done: {' + '.join(map(str, state.stopping))} epochs; best val_loss "
            f"{best['val_loss']:.4f} (val_accuracy {best['val_accuracy']:.4f}) "
            f"in epoch {best['epoch']}"
        )
        test = self.pictures("test")
        if not len(test):
            say("test: the dataset has no test split, so nothing was measured on it")
            return
        loss, accuracy = self.evaluate(test)
        state.test = {"loss": loss, "accuracy": accuracy, "pictures": len(test)}
        say(
            f"test: accuracy {accuracy:.4f}, loss {loss:.4f} on {len(test):,} pictures not used "
            f"so far, with the weights of epoch {best['epoch']}"
        )

    def save(self):
        """Write the model files and their ONNX form; then the checkpoint has done its duty."""
        state, saved = self.state, self.saved_weights()
        self.write_model(saved)
        say(f"saved {self.paths.architecture} and {self.paths.weights}: {saved}")
        try:
            onnx = artifacts.convert(self.prefix, artifacts.read_architecture(self.prefix))
            self.compare(onnx)
            say(f"saved {self.paths.onnx} for classify.py")
        except ArtifactError as error:
            # Without its ONNX form a model is not used, rather than used wrongly.
            files.remove(self.paths.onnx)
            self.write_model(saved)
            cli.print_warning(f"{error}; classify.py will try again")
        files.remove(self.paths.checkpoint)
        say(f"{state.epochs_done} epochs, {state.seconds:,.0f} s")

    def saved_weights(self):
        """Return in words which weights are saved."""
        if self.recipe.refit:
            data = self.dataset
            *names, last = [s for s in ("train", "val", "test") if len(getattr(data, f"X_{s}"))]
            pictures = f"{', '.join(names)} and {last} together" if names else f"all of {last}"
            figures = "val and test figures" if self.state.test else "val figures"
            return (
                f"a refit on {pictures} for the same number of epochs; the {figures} are those of "
                "the searched weights, the refit itself was not measured"
            )
        if self.state.test:
            return "the weights measured on the test split"
        return "the weights with the lowest val_loss"

    def compare(self, onnx):
        """Raise ArtifactError unless the ONNX model answers as the Keras model does."""
        import onnxruntime

        train = self.pictures("train")
        pictures, _ = train.take(np.arange(min(4, len(train))))
        batch = pictures[..., None].astype(np.float32)
        session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
        answers = session.run(None, {session.get_inputs()[0].name: batch})[0]
        expected = keras.ops.convert_to_numpy(self.finished_model()(batch, training=False))
        if not np.abs(answers - expected).max() < 1e-3:
            raise ArtifactError(f"{self.paths.onnx}: answers otherwise than the network")

    def write_model(self, saved):
        """Write the pair of model files with the present weights; `saved` says what they are."""
        state, data = self.state, self.dataset
        facts = {
            "class_names": data.class_names,
            "characters": data.characters,
            "preprocessing": data.preprocessing.to_json(),
            "dataset": data.fingerprint,
            "training": self.identity,
            "saved_weights": saved,
            "figures": {
                "stopping_epochs": state.stopping,
                "best": state.best,
                "test": state.test,
                "history": state.history,
            },
            "versions": backends.versions(),
        }
        artifacts.write_model(
            self.prefix, self.finished_model(), facts, half_precision=self.recipe.half_precision
        )

    def results(self):
        """Return lines of text about what was trained and how good it is."""
        state, data = self.state, self.dataset
        best, test = state.best, state.test
        lines = [
            f"model {self.prefix}, network {self.recipe.network}",
            f"dataset {data.path}: {len(data.class_names)} classes",
            f"{state.epochs_done} epochs, {state.seconds:,.0f} s",
            f"val: accuracy {best['val_accuracy']:.4f}, loss {best['val_loss']:.4f} in epoch "
            f"{best['epoch']}",
        ]
        if test:
            lines.append(
                f"test: accuracy {test['accuracy']:.4f}, loss {test['loss']:.4f} on "
                f"{test['pictures']:,} pictures"
            )
        return [*lines, f"saved: {self.saved_weights()}"]

    # --- The checkpoint ---

    def variables(self):
        return [*self.model.variables, *self.model.optimizer.variables]

    def write_checkpoint(self):
        # The best weights are those of the search; the refit starts from the initial ones.
        best_weights = self.best_weights if self.state.phase == "search" else None
        checkpoints.write(
            self.paths.checkpoint, self.identity, self.state, self.variables(), best_weights
        )

    def restore(self):
        """Load the checkpoint, if there is one. Return False if the run had already finished."""
        path = self.paths.checkpoint
        if not os.path.exists(path):
            if self.is_finished():
                say(f"{self.paths.architecture}: this run has finished; nothing to resume")
                return False
            say(f"no checkpoint {path}: starting with the first epoch")
            return True
        self.state, values, self.best_weights = checkpoints.read(
            path, self.identity, State, self.variables()
        )
        if self.state.phase == "refit":  # whose schedule has other steps
            self.build_model(len(self.all_pictures()))
        for variable, value in zip(self.variables(), values, strict=True):
            variable.assign(value)
        say(f"resumed from {path}: {self.state.epochs_done} epochs done")
        return True

    def what_is_safe(self):
        """Return in words from where an interrupted run can go on."""
        path = self.paths.checkpoint
        try:
            state, *_ = checkpoints.read(path, self.identity, State, self.variables())
        except ArtifactError:  # there is none yet, or that of another run
            return "interrupted in the first epoch; nothing saved"
        return f"interrupted; {state.epochs_done} epochs are safe in {path}, go on with --resume"

    def is_finished(self):
        if not os.path.exists(self.paths.architecture):
            return False
        glyphs = artifacts.read_architecture(self.prefix)["glyphs"]
        cycles = len(glyphs["figures"]["stopping_epochs"])
        stored = recipes.DEFAULT_VALUES | glyphs["training"]
        return stored == self.identity and cycles == len(self.recipe.learning_rates)


def check_finite(figures, epoch):
    """Raise GlyphsError if a loss of an epoch is no finite number: nothing mends that."""
    for name in ("loss", "val_loss"):
        if not math.isfinite(figures.get(name, 0)):
            raise GlyphsError(
                f"the {name} is {figures[name]} in epoch {epoch}: training has diverged; start "
                "again with a lower --learning-rate"
            )


def warn_of_uneven_classes(labels, recipe):
    """Warn where some classes are much rarer than others and the recipe does nothing about it."""
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    if counts.max() > 3 * counts.min() and not recipe.class_weights:
        cli.print_warning(
            f"uneven classes ({counts.min():,} to {counts.max():,} pictures); train.py "
            "--class-weights lets the rare ones count as much"
        )


def take_weights(model, prefix, class_names):
    """Start a model from the weights of another one, layer by layer, where they fit.

    The last layer fits only if the classes are the same; else it stays as it is.

    Args:
        model: keras.Model.
        prefix: of the model files to take them from.
        class_names: of `model`.

    Raises:
        ArtifactError: that model is missing or damaged, or no layer of it fits.
    """
    source, facts = artifacts.load_model(prefix)
    is_same = facts["class_names"] == list(class_names)
    weights = {layer.name: layer.get_weights() for layer in source.layers}
    with_weights = [layer for layer in model.layers if layer.weights]
    taken = 0
    for layer in with_weights:
        shapes = [tuple(variable.shape) for variable in layer.weights]
        fits = shapes == [array.shape for array in weights.get(layer.name, [])]
        if fits and (is_same or layer is not with_weights[-1]):
            layer.set_weights(weights[layer.name])
            taken += 1
    if not taken:
        raise ArtifactError(f"{prefix}: none of its layers fits; --init wants the same network")
    say(f"initial weights: {taken} of {len(with_weights)} layers from {prefix}")


class EpochProgress:
    """Progress within an epoch, on a terminal only: reading the loss after each step costs time.

    Args:
        steps: batches in the epoch.
        title: what stands before the figures.
        more: batches that come after this epoch.
        at_most: whether there may be fewer, by early stopping.
    """

    def __init__(self, steps, title, more, at_most):
        # The time of validation is not counted.
        left = "at most about {} left" if at_most else "about {} left"
        self.progress = cli.Progress(steps, "batches", more=more, left=left)
        self.callbacks = []
        if self.progress.shown:
            self.callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=self.update)]
        self.title = title

    def update(self, step, logs):
        self.progress.update(step + 1, f"{self.title}  {format_figures(logs)}")

    def clear(self):
        self.progress.clear()


def format_figures(figures):
    return "  ".join(f"{name} {value:.4f}" for name, value in figures.items())


def say(line):
    """Print a line of the log at once."""
    print(cli.one_line(line), flush=True)
