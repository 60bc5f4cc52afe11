"""What outside this service a webhook may reach: global addresses, and the networks that the operator named.

An address is judged, not a name: a name is only as good as every address it resolves to at the instant of sending.
A literal address is judged in whatever way it is written. What Python calls global differs between its releases and
lets through relays and multicast, so the ranges stand here, from IANA's registries of special-purpose addresses.
"""

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), name)
    for network, name in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared behind a carrier's NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's own, from within"),  # Azure's WireServer: it looks global and is not.
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "for protocols"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), name)
    for network, name in (
        ("2001::/32", "a Teredo tunnel"),
        ("2001::/23", "for protocols"),
        ("2001:db8::/32", "for documentation"),
        ("3fff::/20", "for documentation"),
        ("::1/128", "loopback"),
        ("64:ff9b:1::/48", "a NAT64 of the local network"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_LOCALHOST = (IPv4Address("127.0.0.1"), IPv6Address("::1"))

_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_INSIDE_NAMES = ("local", "internal", "intranet", "lan", "home", "corp", "private", "home.arpa")
"""Names that only a local network resolves."""


class NotAllowed(Exception):
    """A webhook may not go there; `str()` is the reason, a sentence."""


@dataclass(frozen=True, slots=True)
class Where:
    """A URL taken apart once: nobody reads it a second time in another way. `host` is a name or a plain address."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query, as they go into the request line."""
    address: Address | None
    """The literal address that the URL names, if it does."""

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def networks_of(text: str) -> Networks:
    """Networks from CIDRs separated by commas (ValueError when one is none)."""
    return tuple(ip_network(one.strip()) for one in text.split(",") if one.strip())


def judge_address(address: str | Address, allowed: Networks = ()) -> str | None:
    """Why a webhook may not go to an address, or None when it may. ValueError when it is no address."""
    address = ip_address(address)
    if _within(address, allowed):
        return None
    if isinstance(address, IPv4Address):
        return _first(address, _V4)
    inner = _inner(address)
    if inner is not None:
        reason = judge_address(inner, allowed)
        return None if reason is None else f"The address {address} stands for another. {reason}"
    special = _first(address, _V6)
    if special is None and (address.scope_id is not None or address not in _GLOBAL_UNICAST):
        return f"The address {address} is not global."
    return special


def judge_url(url: str, allowed: Networks = ()) -> str | None:
    """Why a webhook may not go to a URL, as far as the URL itself tells, or None; names are judged when sending."""
    try:
        where_of(url, allowed)
    except NotAllowed as refused:
        return str(refused)
    return None


def where_of(url: str, allowed: Networks = ()) -> Where:
    """Take a URL apart; raises `NotAllowed` when a webhook may not go there."""
    parts, port = _split(url)
    host = _plain(parts.hostname or "")
    address = _literal(host, bracketed="[" in parts.netloc)
    if address is not None:
        host = str(address)
        reason = judge_address(address, allowed)
    else:
        reason = _judge_name(host, allowed)
    if reason is not None:
        raise NotAllowed(reason)
    if parts.scheme == "http" and not (_within(address, allowed) if address else allowed):
        raise NotAllowed("Plain http goes to allowed networks only: use https.")
    is_mine = address is not None and _within(address, allowed)
    if port is not None and port not in _PORTS.values() and port < 1024 and not is_mine:
        raise NotAllowed("The port must be 443, 80, or 1024 and above.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Where(parts.scheme, host, port or _PORTS[parts.scheme], target, address)


def judge_answer(where: Where, addresses: list[Address], allowed: Networks = ()) -> None:
    """Judge what a name resolved to: `NotAllowed` when any of it is not allowed, or nothing is there."""
    if not addresses:
        raise NotAllowed(f"The name {where.host} has no address.")
    for address in addresses:
        reason = judge_address(address, allowed)
        if reason is not None:
            raise NotAllowed(reason)
        if where.scheme == "http" and not _within(address, allowed):
            raise NotAllowed("Plain http goes to allowed networks only: use https.")


def _split(url: str) -> tuple[SplitResult, int | None]:
    if len(url) > 2048 or not url.isprintable() or " " in url or "\\" in url:
        raise NotAllowed("The URL is longer than 2,048 characters, or holds spaces, backslashes or control characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotAllowed("This is not a URL.") from None
    if parts.scheme not in _PORTS:
        raise NotAllowed("The URL must begin with https://.")
    if "@" in parts.netloc:
        raise NotAllowed("The URL may not hold a user or a password.")
    if parts.fragment:
        raise NotAllowed("The URL may not have a fragment.")
    if not (parts.path + parts.query).isascii():
        raise NotAllowed("What is not ASCII in the URL's path must be percent-encoded.")
    return parts, port


def _plain(host: str) -> str:
    """A host as resolvers read it: full-width and circled digits and odd dots are what they look like."""
    host = unicodedata.normalize("NFKC", host).replace("。", ".").lower().removesuffix(".")
    if not host or not host.isascii():
        raise NotAllowed("The host must be a name in its ASCII form (xn--…), or an address.")
    return host


def _literal(host: str, *, bracketed: bool) -> Address | None:
    """The address that a host spells, in any of the ways that `inet_aton` reads; None for a name."""
    if bracketed:
        try:
            address = IPv6Address(host)
        except ValueError:
            raise NotAllowed("What stands in brackets is not an IPv6 address.") from None
        if address.scope_id is not None:
            raise NotAllowed("An address with a zone is not reachable from everywhere.")
        return address
    pieces = host.split(".")
    if not _NUMBER.fullmatch(pieces[-1]):
        return None
    try:
        *leading, last = [_number(piece) for piece in pieces]
        if len(leading) > 3 or any(part > 255 for part in leading):
            raise ValueError
        if last >= 256 ** (4 - len(leading)):
            raise ValueError
    except ValueError:
        raise NotAllowed("A host that ends in a number must be an address.") from None
    return IPv4Address(sum(part << (24 - 8 * index) for index, part in enumerate(leading)) + last)


def _number(piece: str) -> int:
    """One part of an address: hexadecimal after 0x, octal after 0, else decimal."""
    if not _NUMBER.fullmatch(piece) or len(piece) > 16:
        raise ValueError
    if piece.startswith("0x"):
        return int(piece[2:] or "0", 16)
    return int(piece, 8 if piece.startswith("0") else 10)


def _judge_name(host: str, allowed: Networks) -> str | None:
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return "The host is not a name."
    if labels[-1] in {"localhost", "localdomain"}:
        mine = any(_within(address, allowed) for address in _LOCALHOST)
        return None if mine else "The name is this machine's own."
    if not allowed and (len(labels) == 1 or host.endswith(tuple(f".{name}" for name in _INSIDE_NAMES))):
        return "Only a local network resolves this name."
    return None


def _within(address: Address, networks: Networks) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return any(one in network for network in networks for one in (address, mapped) if one is not None)


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for: what is sent to the one arrives at the other."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return address.ipv4_mapped


def _first(address: Address, ranges: tuple[tuple[IPv4Network | IPv6Network, str], ...]) -> str | None:
    return next((f"The address {address} is {name}." for network, name in ranges if address in network), None)
