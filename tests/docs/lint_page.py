"""Makes docs/lint.md from the rules. Run `python tests/docs/lint_page.py` when a rule has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from sts_emulator.policy.linting.lint import RULES, Rule

PAGE = Path(__file__).parents[2] / "docs" / "lint.md"

HEAD = """\
# Lint: what IAM accepts and is yet wrong

`sts-emulator lint [PATH…]` looks at every policy of scenarios, Terraform plans, CloudFormation templates, account dumps and
bare policy documents, without a server and without an AWS account. A finding names the rule, the file and line, what is
wrong and what to write instead.

It also shows whom it is about: a stranger who gets in, or a legitimate caller who is kept out, with what they bring. The
policy engine decided that very request; `--format json` has it whole, as `witness` (SARIF: `properties.witness`). A finding
that concerns nobody in particular has none.

```console
$ sts-emulator lint trust.json
trust.json:9: ! security open-github-subject
    role `trust`, Statement[0].Condition.StringLike.token.actions.githubusercontent.com:sub: `repo:octo-org*` also admits repositories of other owners, such as `octo-org-evil/…`
    for example: a token of token.actions.githubusercontent.com gets in with token.actions.githubusercontent.com:sub = repo:octo-org-evil/x:ref:refs/heads/main, token.actions.githubusercontent.com:aud = sts.amazonaws.com
    → write repo:<owner>/<repository>:…
1 policy: 1 security
```

| severity | means |
|---|---|
| error | it does not work as written, or IAM refuses it |
| security | it allows more than it looks as if it did |
| warning | it will surprise somebody |
| suggestion | it could be better |

The command exits with 1 from `--fail-on security` on (the default), with 2 when a file cannot be used, else with 0.
`--select RULE` and `--ignore RULE` choose; `# sts-emulator: ignore=RULE: the reason` on the line of a finding, or on the one
above, passes it over there; a resource of a template may say so in its metadata, also in JSON:
`"Metadata": {"sts-emulator": {"ignore": {"RULE": "the reason"}}}`. For other JSON, which has no comments, and for an estate that has many old findings: write them down
once with `--format json > baseline.json` (a `reason` may be added to each), and pass them over with
`--baseline baseline.json`; only new ones are told then. `--format` is `text`, `json`, `sarif` (code scanning) or `github` (annotations). `--explain RULE` shows
what stands below. Times are judged as of now, or of `--now 2026-11-23T12:00:00Z`. What cannot be read at all gives the one finding `malformed`.
In a folder, a file that becomes a scenario only when somebody fills its placeholders (`{{account}}`) is passed over, and so is JSON of
another kind that has policies somewhere inside; both are told.

| rule | severity | of |
|---|---|---|
"""
FOOT = "\nThis page is made from the rules by `python tests/docs/lint_page.py`; a test keeps it in step.\n"
KINDS = {"trust": "trust policies", "identity": "identity policies", "scp": "control policies"}


def page() -> str:
    """The whole page."""
    rows = [f"| [`{rule.id}`](#{rule.id}) | {rule.severity} | {_kinds(rule)} |" for rule in RULES]
    return HEAD + "\n".join(rows) + "\n" + "".join(f"\n{part}" for rule in RULES for part in _rule(rule)) + FOOT


def _kinds(rule: Rule) -> str:
    return "every policy" if len(rule.kinds) > 3 else ", ".join(KINDS[kind] for kind in rule.kinds if kind in KINDS)


def _rule(rule: Rule) -> Iterator[str]:
    yield f"## {rule.id}\n"
    yield f"{rule.title} ({rule.severity}).\n"
    for word, text in (("Wrong", rule.wrong), ("Right", rule.right)):
        yield f"{word}:\n\n```json\n{_pretty(text)}\n```\n"


def _pretty(text: str) -> str:
    """The example with statements on lines of their own."""
    try:
        return json.dumps(json.loads(text), indent=2)
    except ValueError:
        return text


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
