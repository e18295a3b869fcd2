"""What liquidators would call on one account in one round, under rules of one collateral and one debt a call.

Each call is the rule's own (``tests.naive.liquidation``), in fractions; between calls holdings are floats, as tables
hold them. Choices where METHODS 5.4 leaves them:

- "taken in full" begins after a call of this round: a first call on a debt under ``dust_usd`` is the rule's own;
- a call that was scaled up for dust and leaves no collateral ``closes`` where the rule writes off at all;
- a call that gives nothing (less than 1e-12 of both sides: a rule's own target is reached, which may lie below the
  ``call_level`` that a close-out goes for) ends the turn like a refused one;
- who is closed out (between 1 and ``call_level``) is called on up to that level; who is liquidatable when its turn
  comes is called on by its rule alone, and closed out in the next round if it is still called;
- collateral with a threshold of 0 is collateral too: where it is the largest, the rule's answer ends the turn;
- Morpho repays by assets: min(debt, what all of the collateral pays for), and closes where all of it is taken.
"""

from __future__ import annotations

from fractions import Fraction

from tests.naive import liquidation as naive

__all__ = ["health_parts", "liquidatable", "turn"]

ZERO, NOTHING = Fraction(0), Fraction(1, 10**12)
VENUE_TERMS = (
    "close_factor",
    "close_factor_hf_threshold",
    "min_base_max_close_factor_threshold",
    "min_leftover_base",
    "target_health_factor",
    "health_factor_for_max_bonus",
    "liquidation_bonus_factor",
    "max_liquidation_discount",
    "socialise_debt",
)


def exact(value):
    return None if value is None else Fraction(value)


def account_of(book, margin, shown, held, closing=False):
    """The margin account as the rules' oracle takes it: ``held`` is side -> asset -> units."""
    _, protocol, _ = margin
    venue = {name: exact(book.term(protocol, name)) for name in VENUE_TERMS}
    collaterals = []
    for asset, units in held["collateral"].items():
        terms = {
            "liquidation_threshold": exact(book.threshold(margin, asset)),
            "liquidation_bonus": exact(book.bonus(margin, asset)),
            "protocol_fee": exact(book.market_term(protocol, asset, "protocol_fee", 0.0)),
        }
        if terms["liquidation_bonus"] is None and book.rule(protocol) == "lending":
            terms["liquidation_bonus"] = ZERO
        collaterals.append(naive.Token(asset, Fraction(units), Fraction(shown[asset]), None, terms))
    debts = [
        naive.Token(
            asset,
            Fraction(units),
            Fraction(shown[asset]),
            None,
            {"borrow_factor": exact(book.market_term(protocol, asset, "borrow_factor", 1.0))},
        )
        for asset, units in held["debt"].items()
    ]
    given = {name: value for name, value in venue.items() if value is not None}
    return naive.Account(tuple(collaterals), tuple(debts), given, closing)


def morpho_blue(account, collateral, debt):
    """Up to all of the debt, by assets."""
    threshold, bonus = collateral.terms["liquidation_threshold"], collateral.terms["liquidation_bonus"]
    weighted, owed = collateral.usd * threshold, debt.usd
    if not (weighted < owed or account.closing):
        return naive.Call(False, naive.ratio(weighted, owed), naive.HEALTHY)
    factor = naive.morpho_blue_incentive(threshold, None) if bonus is None else 1 + bonus
    repaid, seized = debt.amount, naive.collateral_worth(debt, collateral, debt.amount * factor)
    if seized > collateral.amount:
        seized = collateral.amount
        repaid = seized * collateral.price / debt.price / factor
    bad = naive.rest_of_debts(account, debt, repaid) if seized == collateral.amount else {}
    return naive.Call(True, naive.ratio(weighted, owed), "", repaid, seized, written_off=bad)


RULES = {**naive.RULES, "morpho_blue": morpho_blue}


def health_parts(book, margin, shown, held):
    """Weighted collateral, weighted debt and plain debt, USD, in fractions."""
    weighted = owed = plain = ZERO
    for asset, units in held["collateral"].items():
        weighted += Fraction(units) * Fraction(shown[asset]) * Fraction(book.threshold(margin, asset) or 0.0)
    for asset, units in held["debt"].items():
        usd = Fraction(units) * Fraction(shown[asset])
        plain += usd
        owed += usd / Fraction(book.market_term(margin[1], asset, "borrow_factor", 1.0))
    return weighted, owed, plain


def liquidatable(book, margin, shown, held=None):
    """The rule's own test on totals."""
    held = held or {side: book.rows(margin, side) for side in ("collateral", "debt")}
    weighted, owed, _ = health_parts(book, margin, shown, held)
    if owed <= 0:
        return False
    return weighted <= owed if book.rule(margin[1]) == "euler_v2" else weighted < owed


def turn(book, margin, shown, dust_usd, close_to=None):
    """Bundles by (collateral, debt), and whether the last call closes the account.

    ``close_to``: health up to which an account is closed out that its rule would let be.
    """
    held = {side: dict(book.rows(margin, side)) for side in ("collateral", "debt")}
    bundles, closes = {}, False
    while held["collateral"] and held["debt"] and calls_on(book, margin, shown, held, close_to):
        account = account_of(book, margin, shown, held, closing=close_to is not None)
        collateral, debt = naive.largest(account.collaterals), naive.largest(account.debts)
        made = RULES[book.rule(margin[1])](account, collateral, debt)
        if made.refused or (made.repaid <= NOTHING * debt.amount and made.seized <= NOTHING * collateral.amount):
            break
        dusty = 0 < health_parts(book, margin, shown, held)[2] < dust_usd
        scale = in_full(made, collateral, debt) if dusty else Fraction(1)
        bundle = bundles.setdefault((collateral.label, debt.label), dict.fromkeys(PARTS, ZERO))
        for name, amount in zip(PARTS, parts(made), strict=True):
            bundle[name] += amount * scale
        lower(held["collateral"], collateral, made.seized * scale)
        lower(held["debt"], debt, made.repaid * scale)
        bare = dusty and not held["collateral"] and book.rule(margin[1]) not in NEVER_WRITTEN_OFF
        closes = bool(made.written_off) or bare
        if closes:  # what is owed is gone at once, whatever worthless collateral is left
            break
    return bundles, closes


NEVER_WRITTEN_OFF = ("aave_v2", "compound_v2", "euler_v1")  # what is owed without collateral stays on their books
PARTS = ("repaid", "seized", "fee", "surcharge")


def parts(made):
    return made.repaid, made.seized, Fraction(made.fee), made.more.get("surcharge", ZERO)


def calls_on(book, margin, shown, held, close_to):
    """Whether liquidators go on: the rule's own test, or a close-out that has not reached its health."""
    if close_to is None:
        return liquidatable(book, margin, shown, held)
    weighted, owed, _ = health_parts(book, margin, shown, held)
    return weighted < Fraction(close_to) * (1 - NOTHING) * owed


def in_full(made, collateral, debt):
    """By how much a call is scaled up so that it takes all of one side."""
    room = [whole / part for whole, part in ((debt.amount, made.repaid), (collateral.amount, made.seized)) if part > 0]
    return max(min(room), Fraction(1))


def lower(side, token, units):
    left = float(token.amount - units)
    if left > 0:
        side[token.label] = left
    else:
        del side[token.label]
