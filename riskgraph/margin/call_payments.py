"""How the money of a wallet is shared by the calls on it, in compiled code (METHODS 5.3). numba is loaded here."""

from __future__ import annotations

import numba

__all__ = ["pay"]

_SPENT = 1e-15  # share of a token below which what is left of it is rounding
_MET = 1e-12  # share of a shortfall, or of what a donor has to spare, that is rounding: no other token is asked for it
_MOST = 1e300  # more than anybody has to spare


@numba.njit(cache=True)
def pay(  # type: ignore[no-untyped-def]
    source_first,  # (n_sources + 1,) first combination of every source
    call_of,  # (n_combinations,) the call that could take from the source
    left,  # (n_sources,) units on offer; of donors what they hold
    donor_of,  # (n_sources,) donor, -1: wallet
    excess,  # (n_donors,) weighted USD that donors may give, +inf where nothing is owed
    donor_weight,  # (n_sources,) weighted USD that a unit counts for at its donor
    debt_of,  # (n_combinations,) number of the debt that it could repay, -1: none
    owed,  # (n_debts,) units still owed
    repay_cures,  # (n_combinations,) weighted USD that a unit cures where it repays
    post_cures,  # (n_combinations,) the same where it is posted; 0: not accepted
    shortfall,  # (n_calls,) weighted USD still lacking
    in_order,  # whether calls are served in their order instead of pro rata
    repaid,  # (n_combinations,) out: units
    posted,  # (n_combinations,) out: units
):
    """Let sources pay, one after another; every pass closes a need, a debt or the source."""
    asked, spare = shortfall.copy(), excess.copy()
    for source in range(len(source_first) - 1):
        first, last = source_first[source], source_first[source + 1]
        offer = left[source]
        if donor_of[source] >= 0 and donor_weight[source] > 0.0:
            offer = min(offer, excess[donor_of[source]] / donor_weight[source])
        start = offer
        while offer > _SPENT * start:
            total = 0.0
            for at in range(first, last):
                need = _need(at, call_of, debt_of, owed, repay_cures, post_cures, shortfall)
                if in_order and total > 0.0:
                    need = 0.0
                total += need
            if total <= 0.0:
                break
            part = min(1.0, offer / total)
            served = False
            for at in range(first, last):
                need = _need(at, call_of, debt_of, owed, repay_cures, post_cures, shortfall)
                if need <= 0.0 or (in_order and served):
                    continue
                served = True
                units, call, debt = need * part, call_of[at], debt_of[at]
                if debt >= 0 and owed[debt] > 0.0:
                    repaid[at] += units
                    capped = need >= owed[debt]
                    owed[debt] = 0.0 if capped and part == 1.0 else owed[debt] - units
                    lacking = shortfall[call] - units * repay_cures[at]
                    done = part == 1.0 and not capped
                else:
                    posted[at] += units
                    lacking = shortfall[call] - units * post_cures[at]
                    done = part == 1.0
                shortfall[call] = 0.0 if done or lacking <= _MET * asked[call] else lacking
            offer -= total * part
            if part < 1.0:
                break
        used = start - max(offer, 0.0)
        donor = donor_of[source]
        if donor >= 0:
            excess[donor] -= used * donor_weight[source]
            if excess[donor] <= _MET * min(spare[donor], _MOST):
                excess[donor] = 0.0
    return


@numba.njit(cache=True)
def _need(at, call_of, debt_of, owed, repay_cures, post_cures, shortfall):  # type: ignore[no-untyped-def]
    """Units that a call needs of a source: to repay a debt, capped by it, else to post."""
    lacking = shortfall[call_of[at]]
    if lacking <= 0.0:
        return 0.0
    debt = debt_of[at]
    if debt >= 0 and owed[debt] > 0.0:
        return min(lacking / repay_cures[at], owed[debt]) if repay_cures[at] > 0.0 else 0.0
    return lacking / post_cures[at] if post_cures[at] > 0.0 else 0.0
