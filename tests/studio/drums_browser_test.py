"""The studio with a model of drums in headless Chromium."""

import re

import pytest

from musicvae_jax.checkpoints import store
from musicvae_jax.music.drum_kit import PIECES
from musicvae_jax.notation.read import read_drums
from tests import chromium, helpers
from tests.chromium import playwright, until
from tests.studio.browser_test import (
    barriers,
    browser,
    details,
    download,
    make,
    serving,
    user,
)

pytestmark = [chromium.is_needed, pytest.mark.slow]
__all__ = ["browser"]  # a fixture


def test_from_two_patterns_to_a_bridge_that_is_heard_and_used(browser, tmp_path):
    config = helpers.small_config(codec="drums")
    config.dataset.update(extraction="drums", transpose_semitones=0)
    config.dataset.sources = (("groove", 1.0),)
    with store.open_manager(tmp_path / "model") as manager:
        params = helpers.random_params(config, scale=3)
        store.save(manager, 1, params, None, config, {"nll_per_token": 1.0})
        store.wait(manager, 1)
    view = {"viewport": {"width": 360, "height": 900}}
    with serving(tmp_path, tmp_path / "model") as url, user(browser, url, **view) as page:
        assert page.locator(".melody .rows").first.inner_text().split("\n") == [*PIECES[::-1]]
        make(page)
        assert page.locator("#result .rows span").count() == len(PIECES)
        assert "Evenly busy" in page.inner_text("#scores")
        assert "Pattern B" in page.text_content("#labels")
        until(page, "audio.readyState >= 1")
        page.click("#play")
        until(page, "!audio.paused && audio.currentTime > 0")
        page.click("#play")
        made = read_drums(download(page, "mid", tmp_path))
        drawn = "[...document.querySelectorAll('#roll rect')].map((r) => r.style.fillOpacity)"
        shades = page.evaluate(drawn)
        assert len(shades) == made.piece.size and len(set(shades)) > 2
        details(page)
        page.fill("#interpolate-from", "auto")
        page.fill("#interpolate-to", "5")
        make(page)
        others = page.locator("#places li button:enabled")
        assert others.count() == page.locator("#places li").count() - 1 > 0
        chosen = re.search(r"after bar (\d+)", others.first.get_attribute("aria-label"))[1]
        others.first.click()
        until(page, f"document.getElementById('command').textContent.includes('--from={chosen} ')")
        assert not page.is_visible("#places") and page.input_value("#interpolate-to") == "5"
        page.click("#history button >> nth=1")
        made = read_drums(download(page, "mid", tmp_path))
        page.click("#use-b")
        name = page.locator(".melody .name").nth(1)
        playwright.expect(name).to_have_text("transition_dual_conductor.mid")
        facts = page.locator('.melody[data-side="1"] > .facts')
        playwright.expect(facts).to_contain_text(f"{made.piece.size} hits")
        page.click("#result-details summary")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert [*barriers(page, "light", 360), *barriers(page, "dark", 360)] == []
