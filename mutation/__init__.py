"""Mutation testing of `aejax.theory`: do its tests notice when its code is changed?"""
