"""Mutation testing of the whole package: do the tests notice when the code is changed?"""
