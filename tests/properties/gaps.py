"""Where the product is known to fall short of its laws. `test_gaps.py` shows each; whoever mends one takes its name
out here, and from then on the laws hold the product to it."""

GOES_ON = "an effect in doubt, taken back meanwhile, is sent again once a look shows that it was not done"
OUTLIVES = "a wish that waits is carried out though it is no longer for us to act"
HOLD_LOST = "a review takes back a hold that we decided and have not written yet"
NEVER_WRITTEN = "the release of a hold that was decided and never written changes no tag, so no webhook frees OMS"

OPEN = frozenset({OUTLIVES, NEVER_WRITTEN})
