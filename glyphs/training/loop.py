"""Training in cycles of early stopping, then a refit on all data; resumable to the bit.

Every epoch starts from a state that is fully known: the variables of the model and of the
optimizer (the seeds of Dropout are among them), and an order of the samples that depends on seed
and epoch alone. That state is the checkpoint.
"""

import math
import os
import time

from glyphs import files
from glyphs.artifacts import onnx_file, saving
from glyphs.artifacts.loading import read_architecture
from glyphs.artifacts.paths import Paths
from glyphs.errors import ArtifactError
from glyphs.training import backend, checkpoint, cycles
from glyphs.training import log as words
from glyphs.training.batches import Splits, epoch_batches
from glyphs.training.learner import Learner


class Training:
    """One training, from a dataset to the model files.

    Args:
        dataset: open.Dataset.
        build_network: function `(image_size, n_classes)` -> uncompiled keras.Model.
        recipe: recipe.Recipe.
        prefix: of the model files.
        log: where to say things: has say(line), warn(line) and Progress(unit), as the module
            glyphs.console has.
        on_epoch: None, or a function called after each epoch with cycles.State.history.

    Attributes:
        state: cycles.State.
        paths: paths.Paths of the model files.
    """

    make_learner = Learner

    def __init__(self, dataset, build_network, recipe, prefix, *, log, on_epoch=None):
        self.dataset = dataset
        self.recipe = recipe
        self.prefix = prefix
        self.log = log
        self.on_epoch = on_epoch
        self.paths = Paths(prefix)
        self.identity = checkpoint.identity(dataset, recipe)
        self.state = cycles.State()
        self.best_weights = None
        image_size = dataset.preprocessing.image_size
        self.learner = self.make_learner(
            build_network, recipe, image_size, dataset.class_names, dataset.characters
        )

    def run(self, *, resume=False):
        """Train from the beginning or from a checkpoint to the model files.

        Says a line per epoch, then what was measured and what was saved.

        Args:
            resume: go on from the checkpoint of an interrupted run, if there is one.

        Raises:
            ArtifactError: the dataset cannot be trained on, or the checkpoint is damaged or of
                another run.
            StorageError: no space or no permission.
            GlyphsError: the training has diverged.
            KeyboardInterrupt: after Ctrl-C, with a text that says how to go on.
        """
        splits = Splits(self.dataset, self.recipe)
        if splits.leaves_out_copies:
            self.log.warn(
                f"{self.dataset.path}: its distorted pictures are not used; they would show the "
                "network those that it is validated on"
            )
        self.learner.start(len(splits.train), say=self.log.say)
        self.check_room()
        if resume and not self.restore(splits):
            return
        self.say_what_is_trained(splits)
        try:
            self.train(splits)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(self.what_is_safe()) from None
        self.save(splits)

    def check_room(self):
        """Raise StorageError unless there is room for checkpoints."""
        # One holds the weights, the best weights and Adam's two moments, as float32.
        files.check_can_write(self.paths.checkpoint, 16 * self.learner.model.count_params())

    def say_what_is_trained(self, splits):
        data, say = self.dataset, self.log.say
        say(
            f"dataset {data.path}: {len(splits.train):,} train, {len(splits.val):,} val, "
            f"{len(splits.test):,} test pictures of {len(data.class_names)} classes, "
            "{}x{}".format(*data.preprocessing.image_size)
        )
        say(f"network {self.recipe.network}: {self.learner.model.count_params():,} parameters")
        if warning := words.uneven_classes(splits.train.labels, self.recipe):
            self.log.warn(warning)

    def train(self, splits):
        """Do epoch after epoch, until the search and the refit are done."""
        state, recipe, learner = self.state, self.recipe, self.learner
        while state.phase != "done":
            # A single epoch.
            started = time.perf_counter()
            images = splits.train if state.phase == "search" else splits.all
            batches = self.batches(images)
            title = words.title(state, recipe, cycles.most_epochs(state, recipe))
            with self.log.Progress("batches") as progress:
                shown = self.progress_of_epoch(progress, len(batches), title, splits)
                figures = learner.fit(
                    batches,
                    cycle=state.cycle,
                    callbacks=[*shown.callbacks, *self.callbacks(batches)],
                    metrics=state.metrics,
                )
            if state.phase == "search":  # a refit leaves nothing to validate on
                figures["val_loss"], figures["val_accuracy"] = learner.evaluate(splits.val)
            seconds = time.perf_counter() - started
            is_best = cycles.note_epoch(state, recipe, figures, learner.learning_rate, seconds)
            self.log.say(f"{title}  {words.format_figures(figures)}  {seconds:.1f} s")

            # The best weights so far are what the search is after.
            if is_best:
                self.best_weights = learner.model.get_weights()
                if recipe.save_each_gain:
                    self.write_model("the best weights so far of a training that goes on")

            # Once in a while: the search is over, or the refit.
            ended = cycles.advance(state, recipe)
            if ended == "search":
                learner.model.set_weights(self.best_weights)
                self.measure(splits)
                if recipe.refit:
                    learner.start(len(splits.all), say=self.log.say)
            elif ended == "refit":
                learner.round_weights()

            # Whatever happens from here on, this epoch is safe.
            self.write_checkpoint()
            if self.on_epoch:
                self.on_epoch(state.history)

    def batches(self, images):
        """Return the Batches of the epoch that comes; those that are left, if it was begun."""
        state = self.state
        n_classes = len(self.dataset.class_names)
        return epoch_batches(
            images, self.recipe, state.epochs_done, n_classes, first=state.batches_done
        )

    def callbacks(self, batches):
        """Return what Keras is to call during an epoch: nothing, in one process."""
        return []

    def progress_of_epoch(self, progress, steps, title, splits):
        state, recipe = self.state, self.recipe
        n_refit = math.ceil(len(splits.all) / recipe.batch_size) if recipe.refit else 0
        left = cycles.batches_left(state, recipe, steps, n_refit)
        at_most = cycles.may_stop_early(state, recipe)
        return words.EpochProgress(progress, steps, title, left, at_most)

    def measure(self, splits):
        """Measure the best weights of the search on the test split, which nothing has used yet."""
        self.learner.round_weights()
        self.log.say(words.search_line(self.state))
        if len(splits.test):
            loss, accuracy = self.learner.evaluate(splits.test)
            test = {"loss": loss, "accuracy": accuracy, "pictures": len(splits.test)}
            self.state.test = test
        self.log.say(words.test_line(self.state))

    def save(self, splits):
        """Write the model files and their ONNX form; then the checkpoint has done its duty."""
        state, paths = self.state, self.paths
        saved = words.saved_weights(state, self.recipe, self.dataset)
        self.write_model(saved)
        self.log.say(f"saved {paths.architecture} and {paths.weights}: {saved}")
        try:
            onnx = onnx_file.convert(self.prefix, read_architecture(self.prefix))
            images, _ = splits.train.take(range(min(4, len(splits.train))))
            onnx_file.compare(onnx, self.learner.finished(), images, paths.onnx)
            self.log.say(f"saved {paths.onnx} for classify.py")
        except ArtifactError as error:
            # Without its ONNX form a model is not used, rather than used wrongly.
            files.remove(paths.onnx)
            self.write_model(saved)
            self.log.warn(f"{error}; classify.py will try again")
        files.remove(paths.checkpoint)
        self.log.say(f"{state.epochs_done} epochs, {state.seconds:,.0f} s")

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
            "versions": backend.versions(),
        }
        half = self.recipe.half_precision
        saving.write_model(self.prefix, self.learner.finished(), facts, half_precision=half)

    def results(self):
        """Return lines of text about what was trained and how good it is."""
        return words.results(self.prefix, self.state, self.recipe, self.dataset)

    # --- The checkpoint ---

    def write_checkpoint(self):
        # The best weights are those of the search; the refit starts from the initial ones.
        best_weights = self.best_weights if self.state.phase == "search" else None
        checkpoint.write(
            self.paths.checkpoint, self.identity, self.state, self.learner.variables, best_weights
        )

    def restore(self, splits):
        """Load the checkpoint, if there is one. Return False if the run had already finished."""
        path, found = self.paths.checkpoint, self.find_checkpoint()
        if found == "finished":
            self.log.say(f"{self.paths.architecture}: this run has finished; nothing to resume")
            return False
        if found == "nothing":
            self.log.say(f"no checkpoint {path}: starting with the first epoch")
            return True
        self.state, values, self.best_weights = self.read_checkpoint()
        if self.state.phase == "refit":  # whose schedule has other steps
            self.learner.start(len(splits.all), say=self.log.say)
        for variable, value in zip(self.learner.variables, values, strict=True):
            variable.assign(value)
        batches = f" and {self.state.batches_done} batches" if self.state.batches_done else ""
        self.log.say(f"resumed from {path}: {self.state.epochs_done} epochs{batches} done")
        return True

    def find_checkpoint(self):
        """Return what there is of an earlier run: "checkpoint", "finished" or "nothing"."""
        if os.path.exists(self.paths.checkpoint):
            return "checkpoint"
        is_finished = checkpoint.is_finished(self.prefix, self.identity, self.recipe)
        return "finished" if is_finished else "nothing"

    def read_checkpoint(self):
        return checkpoint.read(self.paths.checkpoint, self.identity, self.learner.variables)

    def what_is_safe(self):
        """Return in words from where an interrupted run can go on."""
        path = self.paths.checkpoint
        try:
            state, *_ = checkpoint.read(path, self.identity, self.learner.variables)
        except ArtifactError:  # there is none yet, or that of another run
            return "interrupted in the first epoch; nothing saved"
        return f"interrupted; {state.epochs_done} epochs are safe in {path}, go on with --resume"
