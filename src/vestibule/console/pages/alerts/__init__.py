"""Alerts: their groups, the single alerts, silences and channels, and what a person does about them."""

from fastapi import APIRouter

from vestibule.console.pages.alerts import channels, groups, records, silences

router = APIRouter()
# `/alerts/{alert_id}` matches the fixed addresses as well, so it comes last.
for _area in (groups, silences, channels, records):
    router.include_router(_area.router)
