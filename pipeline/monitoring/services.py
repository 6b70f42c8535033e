"""Services that Apprise knows: mail, Slack, Teams and a hundred more.

https://github.com/caronc/apprise/wiki has their addresses.
"""

from pipeline.errors import DeliveryError
from pipeline.monitoring.silence import silent_libraries


class Service:
    """A service that Apprise sends to.

    Parameters
    ----------
    address : str

    Raises
    ------
    ValueError
        If Apprise does not know such an address. The message does not repeat it.
    """

    def __init__(self, address: str) -> None:
        import apprise

        self._apprise = apprise.Apprise()
        with silent_libraries():
            is_known = self._apprise.add(address)
        if not is_known:
            raise ValueError("Apprise does not know such an address, or a part of it is missing")

    def send(self, title: str, text: str) -> None:
        """Send a message.

        Raises
        ------
        DeliveryError
        """
        with silent_libraries():
            is_sent = self._apprise.notify(title=title, body=text)
        if not is_sent:
            # What Apprise logs about it may hold parts of the address.
            raise DeliveryError("the service refused the message, or cannot be reached")
