"""The translators' catalogues hold what the house says, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import catalogues, text

FILES = [(domain, language) for domain, languages in catalogues.CATALOGUES.items() for language in languages]


@pytest.mark.parametrize(("domain", "language"), FILES)
def test_every_catalogue_is_up_to_date_and_complete(domain: str, language: str) -> None:
    file = catalogues.path(domain, language)
    assert catalogues.updated(domain, language) == file.read_bytes(), "run `python3 -m gateway messages`"
    left = [msgid for (_, msgid), phrase in text.read_catalogue(file).items() if phrase.fuzzy or not phrase.text]
    assert left == []


@pytest.mark.parametrize(("domain", "language"), FILES)
def test_a_catalogue_names_no_host_no_person_and_no_moment(domain: str, language: str) -> None:
    header = catalogues.path(domain, language).read_bytes().partition(b"\n\n")[0]
    assert not any(word in header for word in (b"://", b"@", b"2026", b"Date", b"Translator"))


def test_a_changed_text_keeps_its_old_words_as_doubtful_and_one_that_is_gone_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = catalogues.path("phone", "fr").read_text(encoding="utf-8")
    changed = before.replace('msgid "Wrong key."', 'msgid "A wrong key."')
    gone = 'msgctxt "nowhere"\nmsgid "Nobody says this."\nmsgstr "Personne."\n'
    file = tmp_path / "phone.po"
    file.write_text(f"{changed}\n{gone}", encoding="utf-8")
    monkeypatch.setattr(catalogues, "path", lambda domain, language: file)
    after = catalogues.updated("phone", "fr").decode("utf-8")
    assert "Nobody says this." not in after
    assert "#, fuzzy" in after
    assert "Mauvaise touche." in after
    assert after.count("msgctxt") == before.count("msgctxt")


def test_every_text_knows_the_file_it_stands_in() -> None:
    found = list(catalogues.texts("web"))
    assert {Path(one.file).suffix for one in found} == {".yaml", ".py", ".html"}
    assert all(one.context for one in catalogues.texts("phone"))
    assert any(one.plural for one in found)
