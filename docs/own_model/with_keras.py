"""The task in Keras."""

from pathlib import Path

import keras
import numpy as np
from keras import callbacks, layers
from sklearn.datasets import load_digits

keras.utils.set_random_seed(0)
Path("run").mkdir(exist_ok=True)
x = np.random.default_rng(0).permutation(load_digits().data / 16).astype(np.float32)

inputs = keras.Input((64,))
code = layers.Dense(8)(layers.Dense(32, activation="gelu")(inputs))
outputs = layers.Dense(64)(layers.Dense(32, activation="gelu")(code))
model = keras.Model(inputs, outputs)

model.compile(keras.optimizers.Adam(1e-2), loss="mse")
model.fit(
    x[:1200],
    x[:1200],
    validation_data=(x[1200:1500], x[1200:1500]),
    epochs=100,
    batch_size=50,
    callbacks=[
        callbacks.BackupAndRestore("run/backup"),
        callbacks.CSVLogger("run/history.csv", append=True),
        callbacks.ModelCheckpoint("run/best.keras", save_best_only=True),
        callbacks.EarlyStopping(patience=5),
    ],
)
model.load_weights("run/best.keras")
np.save("x_hat.npy", model.predict(x[1200:1500]))
