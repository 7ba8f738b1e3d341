"""The task in Lightning."""

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

lightning.seed_everything(0)
x = np.random.default_rng(0).permutation(load_digits().data / 16).astype(np.float32)
x = torch.from_numpy(x)


class Autoencoder(lightning.LightningModule):
    """Dense autoencoder with the mean squared error."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 8))
        self.decoder = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 64))

    def measure(self, name, x):
        """Log and return the loss of a batch."""
        loss = nn.functional.mse_loss(self.decoder(self.encoder(x)), x)
        self.log(name, loss, on_step=False, on_epoch=True)
        return loss

    def training_step(self, batch, _):
        """Loss of a train batch."""
        return self.measure("loss", batch[0])

    def validation_step(self, batch, _):
        """Loss of a validation batch."""
        self.measure("val_loss", batch[0])

    def configure_optimizers(self):
        """Adam."""
        return torch.optim.Adam(self.parameters(), 1e-2)


saved = ModelCheckpoint("run", monitor="val_loss", save_last=True)
trainer = lightning.Trainer(
    max_epochs=100,
    logger=CSVLogger("run", name="history"),
    callbacks=[saved, EarlyStopping("val_loss", patience=5)],
    deterministic=True,
)
train = DataLoader(TensorDataset(x[:1200]), batch_size=50, shuffle=True)
validation = DataLoader(TensorDataset(x[1200:1500]), batch_size=300)
trainer.fit(Autoencoder(), train, validation, ckpt_path="last")
best = Autoencoder.load_from_checkpoint(saved.best_model_path)
with torch.no_grad():
    np.save("x_hat.npy", best.decoder(best.encoder(x[1200:1500])).numpy())
