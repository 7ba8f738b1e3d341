"""Checks of the verdicts of certificates, shared by the tests of all theorems."""


def verdicts(certificates):
    """Verdict of each certificate."""
    return [each.verdict for each in certificates]


def check_verdicts(certificates, expected):
    """Check verdicts, residuals of statements that hold, and that others are not measured."""
    assert verdicts(certificates) == expected, "\n".join(map(str, certificates))
    for each in certificates:
        if each.verdict == "holds":
            assert each.residual <= each.tolerance < each.control / 1000
        elif each.verdict == "not applicable":
            assert each.residual is None
