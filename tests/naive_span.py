"""Black-76 and SPAN once more, for one account, straight from their definitions: plain loops, no shared code."""

from __future__ import annotations

from decimal import Decimal, localcontext

DIGITS = 40
FAR = 12  # beyond so many deviations the normal distribution has less than 1e-32 left


def normal_cdf(x):
    """Φ(x) = ½ + φ(x) (x + x³/3 + x⁵/(3·5) + …)."""
    if abs(x) > FAR:
        return Decimal(1 if x > 0 else 0)
    with localcontext(prec=2 * DIGITS):  # half of them are lost in the tail
        pi = Decimal(
            "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899862803482534211706"
        )
        term = total = x
        odd = 1
        while term and abs(term) > Decimal(10) ** (-2 * DIGITS):
            odd += 2
            term = term * x * x / odd
            total += term
        return Decimal("0.5") + (-x * x / 2).exp() / (2 * pi).sqrt() * total


def black76(price, strike, expiry, volatility, is_call, rate=0.0):
    """Value and delta of an option on a forward, in decimals."""
    with localcontext(prec=DIGITS):
        F, K, T, sigma, r = (Decimal(float(each)) for each in (price, strike, expiry, volatility, rate))
        discount = (-r * T).exp()
        deviation = sigma * T.sqrt()
        if not (deviation and F and K):
            d1 = d2 = Decimal(0) if F == K else Decimal(10**6) if F > K else Decimal(-(10**6))
        else:
            d1 = (F.ln() - K.ln()) / deviation + deviation / 2
            d2 = d1 - deviation
        call = F * normal_cdf(d1) - K * normal_cdf(d2)
        value = call if is_call else call - F + K
        return discount * value, discount * (normal_cdf(d1) - (0 if is_call else 1))


def scenarios(extreme_move=2.0, extreme_cover=0.35):
    """Moves of price and volatility in scan ranges, and the share of a loss that counts, in the exchanges' order."""
    listed = []
    for thirds in (0, 1, -1, 2, -2, 3, -3):
        listed.append((thirds / 3, 1, 1.0))
        listed.append((thirds / 3, -1, 1.0))
    listed.append((extreme_move, 0, extreme_cover))
    listed.append((-extreme_move, 0, extreme_cover))
    return listed


def risk_array(row, term, listed, rate):
    """What one unit long gains in each scenario."""
    gains = []
    for move, volatility_move, weight in listed:
        price = max(row["price"] * (1 + move * term["scan_range"]), 0.0)
        if row["option_type"] is None:
            gains.append(weight * (price - row["price"]))
            continue
        volatility = max(row["implied_vol"] + volatility_move * term["volatility_scan"], 0.0)
        contract = row["strike"], row["expiry"]
        call = row["option_type"] == "call"
        moved = black76(price, *contract, volatility, call, rate)[0]
        now = black76(row["price"], *contract, row["implied_vol"], call, rate)[0]
        gains.append(weight * float(moved - now))
    return gains


def span(rows, terms, listed, rate=0.0, inter_month=0.0, pairs=(), minimum=0.0):
    """Scan risk, charges, credits, risk and net option value of one account's families.

    ``rows``: asset, side, amount, price, option_type, strike, expiry, implied_vol; ``terms``: family, scan_range and
    volatility_scan by asset; ``pairs``: (family, family, credit rate) in order.
    """
    found = {}
    for row in rows:
        term = terms[row["asset"]]
        family = found.setdefault(
            term["family"], {"profit": [0.0] * len(listed), "months": {}, "value": 0.0, "risk": 0.0, "short": {}}
        )
        sign = 1 if row["side"] == "long" else -1
        array = risk_array(row, term, listed, rate)
        family["profit"] = [p + sign * row["amount"] * a for p, a in zip(family["profit"], array, strict=True)]
        delta = 1.0
        if row["option_type"] is not None:
            call = row["option_type"] == "call"
            value, slope = black76(row["price"], row["strike"], row["expiry"], row["implied_vol"], call, rate)
            delta = float(slope)
            family["value"] += sign * row["amount"] * float(value)
            name = (row["asset"], row["price"], row["option_type"], row["strike"], row["expiry"], row["implied_vol"])
            family["short"][name] = family["short"].get(name, 0.0) + sign * row["amount"]
        usd = sign * row["amount"] * row["price"] * delta
        family["months"][row["expiry"]] = family["months"].get(row["expiry"], 0.0) + usd
        family["risk"] += usd * term["scan_range"]
    credit = dict.fromkeys(found, 0.0)
    left = {name: family["risk"] for name, family in found.items()}
    for one, other, share in pairs:
        if one in left and other in left and left[one] * left[other] < 0:
            size = min(abs(left[one]), abs(left[other]))
            for leg in (one, other):
                credit[leg] += share * size
                left[leg] += size if left[leg] < 0 else -size
    result = {}
    for name, family in found.items():
        scan = max(0.0, -min(family["profit"]))
        longs = sum(usd for usd in family["months"].values() if usd > 0)
        shorts = -sum(usd for usd in family["months"].values() if usd < 0)
        month = inter_month * min(longs, shorts)
        least = minimum * sum(-units * contract[1] for contract, units in family["short"].items() if units < 0)
        risk = max(scan + month - credit[name], least)
        result[name] = {
            "profit": family["profit"],
            "scan_risk": scan,
            "inter_month": month,
            "inter_commodity": credit[name],
            "short_option_minimum": least,
            "risk": risk,
            "net_option_value": family["value"],
            "requirement": risk - family["value"],
        }
    return result
