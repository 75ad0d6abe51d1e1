"""Where the product is known to fall short of its laws. `test_gaps.py` shows each; whoever mends one takes its name
out here, and from then on the laws hold the product to it."""

GOES_ON = "an effect whose first send came to nothing goes on after the decision was taken back"
OUTLIVES = "a wish that waits is carried out though it is no longer for us to act"
HOLD_LOST = "a review takes back a hold that we decided and have not written yet"

OPEN = frozenset({GOES_ON, OUTLIVES, HOLD_LOST})
