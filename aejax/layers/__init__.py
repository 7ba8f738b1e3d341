"""Operations that models are built from."""
