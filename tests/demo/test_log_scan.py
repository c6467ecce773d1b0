"""The scan of logs finds what it must and says where, never what."""

from pathlib import Path

import pytest

from siths_portal.demo import log_scan


def test_it_finds_whole_words_in_any_case_and_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "portal.log").write_text("all well\nsaid ANNA BERGSTRÖM here\nBergströms is another word\n")
    assert log_scan.scan([tmp_path], ["Anna Bergström", "Bergström"]) == ["portal.log:2"]
    assert log_scan.scan([tmp_path], ["18900101-9802"]) == []


def test_rotated_files_count_and_an_empty_search_is_refused(tmp_path: Path) -> None:
    (tmp_path / "worker.log.1").write_text("serial=9752000000000000001\n")
    assert log_scan.scan([tmp_path], ["9752000000000000001"]) == ["worker.log.1:1"]
    with pytest.raises(ValueError, match="prove nothing"):
        log_scan.scan([tmp_path], [])
