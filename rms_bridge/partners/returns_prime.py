"""Returns Prime. It publishes no endpoint for QC; by Increff's page RMS posts its Returns Processing Update to it.

It sends us nothing directly; what it knows of a return comes through RMS's Create Return Order.
"""

from __future__ import annotations

from rms_bridge.partners.contract import render_processing_update

render_qc = render_processing_update
