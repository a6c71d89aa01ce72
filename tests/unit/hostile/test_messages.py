"""Messages with one thing in them that nobody should send: each is read, or refused in a few words."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest

from tests.hostile import seeds
from tests.hostile.mutation import places
from tests.hostile.oracles import check_observation, check_upload
from tests.hostile.values import ATOMS, RAW_JSON
from tests.thoroughness import share

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", share(range(len(seeds.messages()))))
def test_whatever_stands_at_one_place_of_a_message_it_is_read_or_refused_in_a_few_words(number: int) -> None:
    box = [seeds.messages()[number]]
    for turn, place in enumerate(list(places(box))):
        before = place.value
        texts = []
        for value in ATOMS:
            place.put(deepcopy(value))
            texts.append(json.dumps(box[0], ensure_ascii=False))
        place.put("@here@")
        texts += [json.dumps(box[0]).replace('"@here@"', raw) for raw in RAW_JSON]
        place.put(before)
        for text in share(texts, turn):
            check_observation(text)
            check_upload(text)
