"""Every method again, straight from its paper: loops, plain Python, no code shared with the package."""

import math

# -- contagion: METHODS 1 and 3.1 to 3.4, 3.9 -----------------------------------------------------------------------
# Networks are lists of lists: L[i][j] is the share of i's capital that goes when j is wiped out.

DEFAULT_SHARE = 1.0 - 1e-9


def passes_on(model, kind, h, onset=0.0, alpha=0.0):
    """What a node of a kind passes on at distress h."""
    if model == "liquidation":
        if kind != "account":
            return h
        return min(1.0, max(0.0, (h - onset) / (1.0 - onset)))
    if kind == "asset" or model == "linear":
        return h
    if model == "nonlinear":
        return h * math.exp(alpha * (h - 1.0))
    return 1.0 if h >= DEFAULT_SHARE else 0.0


def debtrank(L, start, model="linear", kinds=None, onset=None, alpha=0.0, damping=1.0, rounds=200_000, tol=1e-15):
    """h(t+1) = min(1, h(t) + Λ(p(t) − p(t−1))), the increments as the papers write them; returns the end state."""
    n = len(L)
    kinds, onset = kinds or ["node"] * n, onset or [0.0] * n
    h, before = list(start), [0.0] * n
    small = 0  # rounds in which nothing but rounding moved; near λ₁ = 1 it never quite dies out
    for _ in range(rounds):
        now = [passes_on(model, kinds[j], h[j], onset[j], alpha) for j in range(n)]
        new = [
            min(1.0, h[i] + damping * sum(L[i][j] * (now[j] - before[j]) for j in range(n) if L[i][j]))
            for i in range(n)
        ]
        moved = max([abs(now[j] - before[j]) for j in range(n)], default=0.0)
        h, before = new, now
        small = small + 1 if moved <= 100.0 * tol else 0
        if moved <= tol or small > 20_000:
            return h
    raise AssertionError("the naive iteration did not end")


def debtrank_rounds(L, start, count, model="linear", damping=1.0):
    """The same, cut after a number of rounds, on a network of kindless nodes."""
    n = len(L)
    h, before = list(start), [0.0] * n
    for _ in range(count):
        now = [passes_on(model, "node", h[j]) for j in range(n)]
        h = [min(1.0, h[i] + damping * sum(L[i][j] * (now[j] - before[j]) for j in range(n))) for i in range(n)]
        before = now
    return h


def waves(L, start, kinds, onset, count, model="liquidation", damping=1.0):
    """Waves: accounts to core, the core to the end of its own chain, then accounts; each sender sends increments."""
    n = len(L)
    h, sent = list(start), [0.0] * n
    core = [i for i in range(n) if kinds[i] in ("asset", "protocol")]
    accounts = [i for i in range(n) if kinds[i] == "account"]

    def send(senders, receivers):
        gain = [0.0] * n
        moved = 0.0
        for j in senders:
            now = passes_on(model, kinds[j], h[j], onset[j])
            for i in receivers:
                gain[i] += damping * L[i][j] * (now - sent[j])
            moved = max(moved, abs(now - sent[j]))
        for i in receivers:
            h[i] = min(1.0, h[i] + gain[i])
        return moved

    for _ in range(count):
        send(accounts, core)
        for j in accounts:
            sent[j] = passes_on(model, kinds[j], h[j], onset[j])
        begun = list(sent)  # what of the core its holders have heard before this wave
        while True:
            now = {j: passes_on(model, kinds[j], h[j], onset[j]) for j in core}
            moved = send(core, core)
            for j in core:
                sent[j] = now[j]
            if moved <= 1e-16:
                break
        gain = {i: sum(damping * L[i][j] * (sent[j] - begun[j]) for j in core) for i in accounts}
        for i in accounts:
            h[i] = min(1.0, h[i] + gain[i])
    return h


def original_debtrank(L, start, damping=1.0):
    """Every node passes its distress on once: U(ndistressed) → D(istressed) → I(nactive)."""
    n = len(L)
    h = list(start)
    state = ["D" if x > 0.0 else "U" for x in start]
    while "D" in state:
        new = [
            min(1.0, h[i] + damping * sum(min(1.0, L[i][j]) * h[j] for j in range(n) if state[j] == "D"))
            for i in range(n)
        ]
        state = ["I" if state[i] != "U" else "D" if new[i] > 0.0 else "U" for i in range(n)]
        h = new
    return h


# -- eigen: METHODS 4 ------------------------------------------------------------------------------------------------


def reachable(links, source):
    """Nodes that can be reached along links[i] = list of j, the source itself included."""
    seen, todo = {source}, [source]
    while todo:
        for j in links[todo.pop()]:
            if j not in seen:
                seen.add(j)
                todo.append(j)
    return seen


def strong_components(L):
    """Sets of nodes that reach one another, one by one; a single node counts if it has a loop."""
    n = len(L)
    links = [[j for j in range(n) if L[i][j] > 0.0] for i in range(n)]
    reach = [reachable(links, i) for i in range(n)]
    found = []
    for i in range(n):
        mine = sorted(j for j in reach[i] if i in reach[j])
        if mine[0] == i and (len(mine) > 1 or L[i][i] > 0.0):
            found.append(mine)
    return found


def perron(L, nodes):
    """Root and right vector of an irreducible block: power iteration on (A + I)/2 with bounds, in plain loops."""
    x = dict.fromkeys(nodes, 1.0 / len(nodes))
    shift = max(sum(L[i][j] for j in nodes) for i in nodes)
    for _ in range(200_000):
        y = {i: sum(L[i][j] * x[j] for j in nodes) + shift * x[i] for i in nodes}
        ratios = [y[i] / x[i] for i in nodes]
        total = sum(y.values())
        x = {i: y[i] / total for i in nodes}
        if max(ratios) - min(ratios) <= 1e-13 * max(ratios):
            break
    return sum(ratios) / len(ratios) - shift, x


def spectral_radius(L):
    return max((perron(L, nodes)[0] for nodes in strong_components(L)), default=0.0)


def solve(A, b):
    """Gaussian elimination with row pivoting, plain Python."""
    n = len(A)
    M = [[*map(float, A[i]), float(b[i])] for i in range(n)]
    for k in range(n):
        top = max(range(k, n), key=lambda i: abs(M[i][k]))
        M[k], M[top] = M[top], M[k]
        for i in range(k + 1, n):
            f = M[i][k] / M[k][k]
            for j in range(k, n + 1):
                M[i][j] -= f * M[k][j]
    x = [0.0] * n
    for k in reversed(range(n)):
        x[k] = (M[k][n] - sum(M[k][j] * x[j] for j in range(k + 1, n))) / M[k][k]
    return x


def katz(L, alpha):
    n = len(L)
    return solve([[(1.0 if i == j else 0.0) - alpha * L[j][i] for j in range(n)] for i in range(n)], [1.0] * n)


def pagerank(L, d=0.85):
    n = len(L)
    total = [sum(row) for row in L]
    step = [[L[i][j] / total[i] if total[i] else 1.0 / n for j in range(n)] for i in range(n)]
    return solve([[(i == j) - d * step[j][i] for j in range(n)] for i in range(n)], [(1 - d) / n] * n)


def sinkrank(A):
    """Hitting times of every s by its own system of equations; A[i][j] creditor rows, debtor columns."""
    n = len(A)
    owed = [sum(A[i][j] for i in range(n)) for j in range(n)]
    links = [[i for i in range(n) if A[i][j] > 0.0] for j in range(n)]
    result = []
    for s in range(n):
        if any(s not in reachable(links, j) for j in range(n)):
            result.append(0.0)
            continue
        others = [j for j in range(n) if j != s]
        # s keeps the walk, so that nobody is lost beyond it
        times = solve([[(i == j) - A[i][j] / owed[j] for i in others] for j in others], [1.0] * len(others))
        result.append((n - 1) / sum(times))
    return result


def walk_counts(B):
    """e^B by its series, plain loops."""
    n = len(B)
    term = [[float(i == j) for j in range(n)] for i in range(n)]
    total = [row[:] for row in term]
    for length in range(1, 80):
        term = [[sum(term[i][k] * B[k][j] for k in range(n)) / length for j in range(n)] for i in range(n)]
        total = [[total[i][j] + term[i][j] for j in range(n)] for i in range(n)]
    return total


def contagious(L):
    n = len(L)
    return [[1.0 if i != j and L[j][i] >= 1.0 - 1e-12 else 0.0 for j in range(n)] for i in range(n)]


def susceptibility(L):
    B = contagious(L)
    C, n = walk_counts(B), len(L)
    direct = [sum(B[i][j] for i in range(n)) for j in range(n)]
    return [sum(C[i][j] for i in range(n) if i != j) / direct[j] if direct[j] else 0.0 for j in range(n)]


def diffusion(L):
    B = contagious(L)
    C, n = walk_counts(B), len(L)
    result = []
    for q in range(n):
        without = walk_counts([[0.0] * n if i == q else B[i] for i in range(n)])
        gone = sum(C[i][j] - without[i][j] for i in range(n) for j in range(n) if i != j)
        result.append(gone / sum(B[q]) if sum(B[q]) else 0.0)
    return result


# -- health and the exposure graph: METHODS 2, 3.9 and 5 ------------------------------------------------------------
# Works on the frames of a snapshot, row by row, with dictionaries. FAMILY, BASE and BEHIND describe the universe of
# tests/books.py by hand: family of each asset, numeraire of each family, (backer, share, issuer) of each token.

FAMILY = {"ETH": "ETH", "stETH": "ETH", "wstETH": "ETH", "aETH": "ETH", "USD": "USD", "dUSD": "dUSD"}
BASE = {"ETH": "ETH", "USD": "USD", "dUSD": "dUSD"}
BEHIND = {
    "stETH": [("ETH", 1.0)],
    "wstETH": [("stETH", 1.0)],
    "aETH": [("ETH", 1.0)],
    "dUSD": [("USD", 0.25), ("vault", 0.5)],
}
ISSUER = {"aETH": "lend"}
SOLD_AS = {"wstETH": "stETH", "aETH": "ETH"}  # stETH does not turn into ETH at will
LENDS = {"lend": True, "vault": False, "closed": False}


def _blank(value):
    return value is None or value != value


def health(rows, terms):
    """Health of each (account, protocol, bucket) from its rows: Σ value · LT ÷ Σ debt."""
    weighted, debt = {}, {}
    for row in rows:
        if row["protocol"] == "":
            continue
        key = (row["account"], row["protocol"], row["bucket"])
        weighted.setdefault(key, 0.0)
        debt.setdefault(key, 0.0)
        if row["side"] == "collateral":
            weighted[key] += row["usd"] * terms[row["protocol"], row["asset"]]["liquidation_threshold"]
        if row["side"] == "debt":
            debt[key] += row["usd"]
    return {key: (weighted[key] / debt[key] if debt[key] > 0 else math.inf) for key in debt}


def exposure_edges(rows, terms, protocols, claims, depth, netting="family"):
    """Λ of a book as {(row label, column label): value}, with equity, capital and h* beside."""
    accounts = sorted({row["account"] for row in rows})
    places = sorted({row["protocol"] for row in rows if row["protocol"]} | set(protocols))
    equity = dict.fromkeys(accounts, 0.0)
    long, short, claim = {}, {}, {}
    for row in rows:
        a, p, t, usd = row["account"], row["protocol"], row["asset"], row["usd"]
        if row["side"] == "debt":
            equity[a] -= usd
            short[a, t] = short.get((a, t), 0.0) + usd
        else:
            equity[a] += usd
            long[a, t] = long.get((a, t), 0.0) + usd
            if row["side"] == "deposit" or (row["side"] == "collateral" and LENDS[p]):
                claim[a, p] = claim.get((a, p), 0.0) + usd
    for a in accounts:  # a receipt and the deposit that it stands for count once
        for receipt, issuer in ISSUER.items():
            under = BEHIND[receipt][0][0]
            own = sum(
                row["usd"]
                for row in rows
                if (row["account"], row["protocol"], row["asset"]) == (a, issuer, under)
                and row["side"] in ("collateral", "deposit")
            )
            held = long.get((a, receipt), 0.0)
            twice = min(own, held)
            if twice > 0.0:
                equity[a] -= twice
                claim[a, issuer] = max(claim.get((a, issuer), 0.0) - twice, 0.0)
                long[a, under] = max(long[a, under] - twice, 0.0)
    edges = {}

    def add(i, j, value):
        if value > 0.0:
            edges[i, j] = edges.get((i, j), 0.0) + value

    for a in accounts:
        if equity[a] <= 0.0:
            continue
        for t in FAMILY:
            held, owed = long.get((a, t), 0.0), short.get((a, t), 0.0)
            if netting == "none":
                net = held
            elif netting == "asset" or BASE[FAMILY[t]] != t:
                net = max(held - owed, 0.0)
            else:
                members = [m for m in FAMILY if FAMILY[m] == FAMILY[t]]
                net = max(sum(long.get((a, m), 0.0) - short.get((a, m), 0.0) for m in members), 0.0)
            add(f"account:{a}", f"asset:{t}", net / equity[a])
        for p in places:
            add(f"account:{a}", f"protocol:{p}", claim.get((a, p), 0.0) / equity[a])

    debt_at = {p: sum(r["usd"] for r in rows if r["protocol"] == p and r["side"] == "debt") for p in places}
    claims_on = {p: sum(v for (_, q), v in claim.items() if q == p) for p in places}
    for _, debtor, usd in claims:
        claims_on[debtor] += usd
    capital = {}
    for p in places:
        known = protocols.get(p, {})
        reserve = 0.01 * debt_at[p] if _blank(known.get("reserve_usd")) else known["reserve_usd"]
        if _blank(known.get("supply_usd")):
            supply = max(debt_at[p], claims_on[p])
        else:
            supply = max(known["supply_usd"], claims_on[p])
        capital[p] = reserve + supply
    for creditor, debtor, usd in claims:
        if capital[creditor] > 0.0:
            add(f"protocol:{creditor}", f"protocol:{debtor}", usd / capital[creditor])

    for key in sorted({(r["account"], r["protocol"], r["bucket"]) for r in rows if r["protocol"]}):
        mine = [r for r in rows if (r["account"], r["protocol"], r["bucket"]) == key]
        value = sum(r["usd"] for r in mine if r["side"] == "collateral")
        debt = sum(r["usd"] for r in mine if r["side"] == "debt")
        if debt <= 0.0:
            continue
        known_value = sum(r["usd"] for r in mine if r["side"] == "collateral" and r["asset"] in FAMILY)
        bonus = 0.0
        for r in mine:
            if r["side"] == "collateral" and r["asset"] in FAMILY and known_value > 0.0:
                b = terms[r["protocol"], r["asset"]]["liquidation_bonus"]
                bonus += r["usd"] * (0.0 if _blank(b) else b) / known_value
        sold = {}
        for r in mine:
            if r["side"] == "collateral" and r["asset"] in FAMILY and value > 0.0:
                market = SOLD_AS.get(r["asset"], r["asset"])
                sold[market] = sold.get(market, 0.0) + r["usd"] * min(1.0, debt * (1.0 + bonus) / value)
        fraction = min(1.0, value / (debt * (1.0 + bonus)))
        paid = {}
        for r in mine:
            if r["side"] == "debt" and r["asset"] in FAMILY:
                paid[r["asset"]] = paid.get(r["asset"], 0.0) + r["usd"] * fraction
        worst = 0.0
        for t in FAMILY:
            if netting == "none":
                out = sold.get(t, 0.0)
            elif netting == "asset":
                out = max(sold.get(t, 0.0) - paid.get(t, 0.0), 0.0)
            elif BASE[FAMILY[t]] != t:
                out = sold.get(t, 0.0)
            else:
                members = [m for m in FAMILY if FAMILY[m] == FAMILY[t]]
                out = max(sum(sold.get(m, 0.0) - paid.get(m, 0.0) for m in members), 0.0)
            deep = depth.get(t)
            if deep is None:
                redeemed = [depth[m] for m in FAMILY if SOLD_AS.get(m) == t and m in depth]
                deep = min(redeemed) if redeemed else None
            if deep is not None:
                add(f"asset:{t}", f"account:{key[0]}", out / deep)
                worst = max(worst, out / deep)
        slippage = min(1.0, 0.5 * worst)
        if capital[key[1]] > 0.0:
            loss = max(debt - (1.0 - slippage) * min(value, debt), 0.0)
            add(f"protocol:{key[1]}", f"account:{key[0]}", loss / capital[key[1]])

    for token, behind in BEHIND.items():
        for backer, share in behind:
            if backer not in FAMILY:
                add(f"asset:{token}", f"protocol:{backer}", share)
            elif not (netting == "family" and FAMILY[token] == FAMILY[backer] and BASE[FAMILY[token]] == backer):
                add(f"asset:{token}", f"asset:{backer}", share)
        if token in ISSUER:
            add(f"asset:{token}", f"protocol:{ISSUER[token]}", sum(share for _, share in behind))

    onset = {}
    for a in accounts:
        mine = [r for r in rows if r["account"] == a and r["protocol"]]
        pledged = [r for r in mine if r["side"] == "collateral"]
        weighted = sum(r["usd"] * terms[r["protocol"], r["asset"]]["liquidation_threshold"] for r in pledged)
        value = sum(r["usd"] for r in pledged)
        debt = sum(r["usd"] for r in mine if r["side"] == "debt")
        if weighted <= 0.0 or equity[a] <= 0.0:
            onset[a] = 0.0
        else:
            fall = min(1.0, max(0.0, 1.0 - debt / weighted))
            onset[a] = min(1.0 - 1e-6, max(0.0, fall * value / equity[a]))
    return edges, equity, capital, onset


# -- reuse: METHODS 6 -------------------------------------------------------------------------------------------------
# rows: (account, protocol, asset, side, usd); backing: {token: [(behind, share)]}; no label is both
# an asset's and a protocol's.


def backing_paths(backing, token, share=1.0, ends=()):
    """Every walk from a token to something that nothing stands behind: [(nodes, share)], one by one."""
    if token not in backing:
        return [((token,), share)] if token not in ends else []
    found = []
    for behind, part in backing[token]:
        if share * part > 1e-18:
            found += [((token, *nodes), value) for nodes, value in backing_paths(backing, behind, share * part, ends)]
    return found


def passes(backing, token, asset, share=1.0):
    """Share of a dollar of the token that comes by an asset at least once."""
    if token == asset:
        return share
    return sum(
        passes(backing, behind, asset, share * part) for behind, part in backing.get(token, []) if share * part > 1e-18
    )


def reuse_equity(rows, kinds, backing, issuers):
    """Collateral + deposits + wallet − debt, a receipt and the own deposit that it stands for once."""
    equity, claims, own = {}, {}, {}
    for account, protocol, asset, side, usd in rows:
        equity[account] = equity.get(account, 0.0) + (-usd if side == "debt" else usd)
        if side != "debt" and kinds[asset] == "receipt" and issuers.get(asset):
            for behind, share in backing.get(asset, []):
                key = (account, issuers[asset], behind)
                claims[key] = claims.get(key, 0.0) + usd * share
        if side in ("collateral", "deposit"):
            own[account, protocol, asset] = own.get((account, protocol, asset), 0.0) + usd
    for key, usd in claims.items():
        equity[key[0]] -= min(usd, own.get(key, 0.0))
    return equity


def matched_share(rows, kinds, backing, issuers, protocols, token, behind):
    """min(1, X ÷ R) for one token and what stands behind it; tokens on the same deposits share them."""

    def on(asset):
        return (behind, None if behind in protocols else issuers.get(asset))

    claims = deposits = 0.0
    for _, protocol, asset, side, usd in rows:
        parts = dict(backing.get(asset, []))
        if side in ("collateral", "deposit", "wallet") and kinds[asset] in ("receipt", "lp", "debt_backed"):
            claims += usd * parts[behind] if behind in parts and on(asset) == on(token) else 0.0
        if side in ("collateral", "deposit") and kinds[asset] != "basket":
            if behind in protocols:
                deposits += usd if protocol == behind and behind not in parts else 0.0
            elif asset == behind and issuers.get(token) in (None, protocol):
                deposits += usd
    return min(1.0, deposits / claims) if claims else 0.0


def reuse(rows, kinds, families, backing, issuers, protocols):
    """G, H, B, U by base, and reused USD by account, protocol and asset, walking every path of every row."""
    equity = reuse_equity(rows, kinds, backing, issuers)
    rows = [row for row in rows if equity[row[0]] > 0.0]
    baskets = [asset for asset, kind in kinds.items() if kind == "basket"]
    family = {end: families.get(end, end) for end in [*kinds, *protocols]}
    G, H, B_family, c, h, d = {}, {}, {}, {}, {}, {}
    walks = []

    def add(where, key, usd):
        where[key] = where.get(key, 0.0) + usd

    for account, protocol, asset, side, usd in rows:
        for nodes, share in backing_paths(backing, asset, ends=baskets):
            f = family[nodes[-1]]
            if side == "debt":
                add(d, (account, f), usd * share)
            elif side in ("collateral", "deposit"):
                again = 0.0
                if kinds[asset] in ("receipt", "lp", "debt_backed") and len(nodes) > 1:
                    again = matched_share(rows, kinds, backing, issuers, protocols, asset, nodes[1])
                add(G, nodes[-1], usd * share)
                add(H, nodes[-1], usd * share * again)
                add(c, (account, f), usd * share)
                add(h, (account, f), usd * share * again)
                walks.append((account, protocol, side, nodes, usd * share, again))
    B_account = {key: min(c[key] - h[key], d.get(key, 0.0)) for key in c}
    for (_, f), usd in B_account.items():
        add(B_family, f, usd)
    measures = {}
    for base in G:
        rest = sum(G[b] - H[b] for b in G if family[b] == family[base])
        B = B_family[family[base]] * (G[base] - H[base]) / rest if rest else 0.0
        measures[base] = (G[base], H[base], B, G[base] - H[base] - B)
    reused = {"account": {}, "protocol": {}, "asset": {}, "end": {}}
    whole, again_by_row = {}, {}
    for account, protocol, side, nodes, usd, again in walks:
        key, cell = (account, protocol, nodes[0], side), (account, family[nodes[-1]])
        free = c[cell] - h[cell]
        loop = usd * (1.0 - again) * B_account[cell] / free if free else 0.0
        add(again_by_row, key, usd * again + loop)
        add(whole, key, usd)
        add(reused["account"], account, usd * again + loop)
        add(reused["protocol"], protocol, usd * again + loop)
    for account, protocol, side, nodes, usd, _ in walks:
        key = (account, protocol, nodes[0], side)
        part = again_by_row[key] * usd / whole[key] if whole[key] else 0.0
        add(reused["end"], nodes[-1], part)
        for node in set(nodes) - set(protocols):
            add(reused["asset"], node, part)
    return measures, reused


def common_collateral(rows, backing, protocols):
    """{(asset, p, q): (smaller of what rests on it at each, wallets at both, Σ of their smaller)}, plain loops."""
    posted = [row for row in rows if row[3] in ("collateral", "deposit")]
    assets = sorted({row[2] for row in posted} | {b for t in backing for b, _ in backing[t]} - set(protocols))
    found = {}
    for asset in assets:
        for at, p in enumerate(sorted(protocols)):
            for q in sorted(protocols)[at + 1 :]:
                rests = {}
                for account, protocol, token, _, usd in posted:
                    if protocol in (p, q):
                        key = (account, protocol)
                        rests[key] = rests.get(key, 0.0) + usd * passes(backing, token, asset)
                total = [sum(usd for (_, r), usd in rests.items() if r == s) for s in (p, q)]
                both = [i for i in {k[0] for k in rests} if min(rests.get((i, p), 0.0), rests.get((i, q), 0.0)) > 0.0]
                if min(total) > 0.0:
                    usd = sum(min(rests[i, p], rests[i, q]) for i in sorted(both))
                    found[asset, p, q] = (min(total), len(both), usd)
    return found


# -- network valuation: METHODS 3.6 ----------------------------------------------------------------------------------
# A[i][j] is what j owes i; everything in USD; one valuation function a paper, in the papers' own form.


def normal_cdf(x):
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def merton_default(k, assets, sigma):
    """P(k): lognormal assets with mean ``assets`` end below k; assets that are certain or nothing, by comparison."""
    if k <= 0.0:
        return 0.0
    if sigma == 0.0 or assets == 0.0:
        return 1.0 if k > assets else 0.0
    return normal_cdf((math.log(k / assets) + sigma**2 / 2.0) / sigma)


def assets_below(k, assets, sigma):
    """G(k): the part of the assets' mean that lies below k."""
    if k <= 0.0:
        return 0.0
    if sigma == 0.0 or assets == 0.0:
        return assets if k > assets else 0.0
    return assets * normal_cdf((math.log(k / assets) - sigma**2 / 2.0) / sigma)


def first_passage(k, assets, sigma):
    """The assets touch k < assets before maturity."""
    if k <= 0.0 or sigma == 0.0:
        return 0.0
    m = math.log(k / assets)
    return normal_cdf((m + sigma**2 / 2.0) / sigma) + math.exp(-m) * normal_cdf((m - sigma**2 / 2.0) / sigma)


def claim_value(valuation, E, E0, assets, pbar, sigma, R, near):
    """V(E) of one node; equities nearer to 0 than ``near`` are 0."""
    E = 0.0 if abs(E) <= near else E
    k = assets - E
    if valuation == "furfine":
        return 1.0 if E >= 0.0 else R
    if valuation == "linear":
        return min(1.0, max(0.0, E / E0)) if near < E0 else 0.0
    if valuation == "eisenberg_noe":
        if pbar == 0.0:
            return 1.0 if E >= 0.0 else 0.0
        return min(1.0, max(0.0, (E + pbar) / pbar))
    if valuation == "exante_furfine":
        return 1.0 - (1.0 - R) * merton_default(k, assets, sigma)
    if valuation == "black_cox":
        return 1.0 - (1.0 - R) * (1.0 if E <= 0.0 else first_passage(k, assets, sigma))
    fails = merton_default(k, assets, sigma)
    if pbar == 0.0:
        return 1.0 - fails
    between = assets_below(k, assets, sigma) - assets_below(k - pbar, assets, sigma)
    left = between - (k - pbar) * (fails - merton_default(k - pbar, assets, sigma))
    return 1.0 - fails + R * left / pbar


def network_valuation(A, assets, liabilities, valuation, shock, sigma, R, pbar="total", rounds=200_000):
    """(E, V) at the greatest solution: all claims at face value, then again and again at V of the last equities."""
    n = len(A)
    owed = [sum(A[i][j] for i in range(n)) for j in range(n)]
    size = [assets[i] + liabilities[i] + sum(A[i]) + owed[i] for i in range(n)]
    ranked = [owed[j] + (liabilities[j] if pbar == "total" else 0.0) for j in range(n)]
    E0 = [assets[i] - liabilities[i] - owed[i] + sum(A[i]) for i in range(n)]
    left = [assets[i] * (1.0 - shock[i]) for i in range(n)]
    V = [1.0] * n
    before = None
    for _ in range(rounds):
        E = [left[i] - liabilities[i] - owed[i] + sum(A[i][j] * V[j] for j in range(n)) for i in range(n)]
        if before is not None and max(abs(E[i] - before[i]) for i in range(n)) <= 1e-15 * max(size):
            return E, V
        before = E
        V = [claim_value(valuation, E[j], E0[j], left[j], ranked[j], sigma[j], R[j], 1e-12 * size[j]) for j in range(n)]
    raise AssertionError("the naive valuation did not end")


# -- eigen, continued: the two parts of impact diffusion (METHODS 4; Silva, Souza, Tabak 2015) -------------------------


def diffusion_parts(L):
    """What each node adds to all communicability, for each of its links: as the first to fall, and as a later one."""
    B = contagious(L)
    C, n = walk_counts(B), len(L)
    start, intermediate = [], []
    for q in range(n):
        without = walk_counts([[0.0] * n if i == q else B[i] for i in range(n)])
        gone = [sum(C[i][j] - without[i][j] for j in range(n) if i != j) for i in range(n)]
        links = sum(B[q])
        start.append(gone[q] / links if links else 0.0)
        intermediate.append(sum(gone[i] for i in range(n) if i != q) / links if links else 0.0)
    return start, intermediate


# -- fire sales and cross-holdings: METHODS 3.7 and 4 ------------------------------------------------------------------
# H[i][a] is what institution i holds of asset a, USD; market[a] the asset in whose market a is sold.


def leverage_targeting(H, E, impact, falls, market, insolvent="sell"):
    """Greenwood, Landier, Thesmar 2015: one round; returns sales, falls by sales, losses, S by institution and AV."""
    n, m = len(H), len(impact)
    A = [sum(row) for row in H]
    loss = [sum(H[i][a] * falls[a] for a in range(m)) for i in range(n)]
    sold = []
    for i in range(n):
        if E[i] - loss[i] <= 0.0 and insolvent == "hold":
            sold.append(0.0)
        elif E[i] > 0.0:
            sold.append(min((A[i] - E[i]) / E[i] * loss[i], A[i] - loss[i]))
        else:
            sold.append(A[i] - loss[i] if loss[i] > 0.0 else 0.0)
    sales = [[H[i][a] / A[i] * sold[i] if A[i] > 0.0 else 0.0 for a in range(m)] for i in range(n)]

    def fall(sellers, a):
        return impact[a] * sum(sales[i][b] for i in sellers for b in range(m) if market[b] == market[a])

    g = [fall(range(n), a) for a in range(m)]
    lost = [sum(H[i][a] * g[a] for a in range(m)) for i in range(n)]
    whole = sum(e for e in E if e > 0.0)
    S = [sum(H[j][a] * fall([i], a) for j in range(n) for a in range(m)) / whole for i in range(n)]
    return sales, g, lost, S, sum(lost) / whole


def threshold_sales(H, E, impact, falls, market, most, target, sellable, floor=None, alpha=0.5, insolvent="sell"):
    """Cont, Schaanning 2017; floor None: linear impact. Returns sales, prices, losses, caused, equity, rounds."""
    n, m = len(H), len(impact)
    P = [[H[i][a] * (1.0 - falls[a]) for a in range(m)] for i in range(n)]
    E = [E[i] - sum(H[i][a] * falls[a] for a in range(m)) for i in range(n)]
    started = [sum(row) for row in P]
    S, lost, caused = [1.0] * m, [0.0] * n, [0.0] * n
    sales = [[0.0] * m for _ in range(n)]
    rounds = 0
    while True:
        share = []
        for i in range(n):
            held = sum(P[i])
            free = sum(P[i][a] for a in range(m) if sellable[a])
            gone = E[i] <= 0.0
            excess = held - target[i] * max(E[i], 0.0)
            must = (insolvent == "sell") if gone else held > most[i] * E[i]
            must = must and free > 0.0 and min(excess, free) > 1e-12 * started[i]
            share.append(min(1.0, excess / free) if must else 0.0)
        if not any(share):
            return sales, S, lost, caused, E, rounds
        rounds += 1
        Q = [[share[i] * P[i][a] if sellable[a] else 0.0 for a in range(m)] for i in range(n)]
        psi = []
        for a in range(m):
            q = sum(Q[i][b] for i in range(n) for b in range(m) if market[b] == market[a])
            if floor is None:
                psi.append(min(1.0, impact[a] * q))
            else:
                psi.append((1.0 - floor / S[a]) * (1.0 - math.exp(-q * impact[a] / (1.0 - floor))) if S[a] else 0.0)
        cost = [[psi[a] * (P[i][a] - (1.0 - alpha) * Q[i][a]) for a in range(m)] for i in range(n)]
        for place in set(market):
            inside = [a for a in range(m) if market[a] == place]
            total = sum(cost[i][a] for i in range(n) for a in inside)
            sold = sum(Q[i][a] for i in range(n) for a in inside)
            for i in range(n):
                if sold > 0.0:
                    caused[i] += total * sum(Q[i][a] for a in inside) / sold
        for i in range(n):
            lost[i] += sum(cost[i])
            E[i] -= sum(cost[i])
            for a in range(m):
                sales[i][a] += Q[i][a]
                P[i][a] = (P[i][a] - Q[i][a]) * (1.0 - psi[a])
        S = [S[a] * (1.0 - psi[a]) for a in range(m)]


def overlaps(H, impact, market):
    """Ω, n × n, written out."""
    m = len(impact)
    pairs = [(a, b) for a in range(m) for b in range(m) if market[a] == market[b]]
    return [[sum(one[a] * impact[a] * other[b] for a, b in pairs) for other in H] for one in H]


def cross_holdings(C, D, limits, costs):
    """Elliott, Golub, Jackson 2014, their algorithm: returns market values, costs borne, waves."""
    n = len(C)
    outside = [1.0 - sum(C[i][j] for i in range(n)) for j in range(n)]
    left = [[(1.0 if i == j else 0.0) - C[i][j] for j in range(n)] for i in range(n)]
    failed, waves = set(), []
    while True:
        borne = [costs[i] if i in failed else 0.0 for i in range(n)]
        book = solve(left, [D[i] - borne[i] for i in range(n)])
        v = [outside[i] * book[i] for i in range(n)]
        new = {i for i in range(n) if v[i] < limits[i]} - failed
        if not new:
            return v, borne, waves
        failed |= new
        waves.append(sorted(new))


def balance_sheets(rows, netting="asset"):
    """Holdings {(account, asset): USD} and equity of a book's accounts; a receipt and its deposit count once."""
    long, short, equity = {}, {}, {}
    for row in rows:
        key, usd = (row["account"], row["asset"]), row["usd"]
        side = short if row["side"] == "debt" else long
        side[key] = side.get(key, 0.0) + usd
        equity[key[0]] = equity.get(key[0], 0.0) + (-usd if row["side"] == "debt" else usd)
    for account in equity:
        for receipt, issuer in ISSUER.items():
            under = BEHIND[receipt][0][0]
            own = sum(
                r["usd"]
                for r in rows
                if (r["account"], r["protocol"], r["asset"]) == (account, issuer, under)
                and r["side"] in ("collateral", "deposit")
            )
            twice = min(own, long.get((account, receipt), 0.0))
            equity[account] -= twice
            if twice > 0.0:
                long[account, under] = max(long[account, under] - twice, 0.0)
    held = {}
    for key, usd in long.items():
        owed = short.get(key, 0.0) if netting == "asset" and key[1] in FAMILY else 0.0
        held[key] = max(usd - owed, 0.0)
    return held, equity


def protocol_sheets(rows, netting="asset"):
    """The same for protocols: what stands in their margin accounts, netted in each of them."""
    held, equity = {}, {}
    for key in {(r["account"], r["protocol"], r["bucket"]) for r in rows if r["protocol"]}:
        mine = [r for r in rows if (r["account"], r["protocol"], r["bucket"]) == key]
        place = key[1]
        for asset in {r["asset"] for r in mine}:
            owned = sum(r["usd"] for r in mine if r["asset"] == asset and r["side"] != "debt")
            owed = sum(r["usd"] for r in mine if r["asset"] == asset and r["side"] == "debt")
            equity[place] = equity.get(place, 0.0) + owned - owed
            less = owed if netting == "asset" and asset in FAMILY else 0.0
            held[place, asset] = held.get((place, asset), 0.0) + max(owned - less, 0.0)
    return held, equity


# -- clearing: METHODS 3.5 --------------------------------------------------------------------------------------------
# owes[i][j]: i owes j. Payments are iterated as the papers write them: down from payment in full, or up from nothing.


def clearing_step(owes, cash, outside, seniority, alpha, beta, paid, good=None):
    """What each bank pays to the others when they pay it ``paid``; ``good``: banks taken as able to pay, if known."""
    n = len(owes)
    new, able, total = [], [], []
    for i in range(n):
        banks = sum(owes[i])
        incoming = 0.0
        for j in range(n):
            if owes[j][i] > 0.0:
                incoming += owes[j][i] / sum(owes[j]) * paid[j]
        full = banks + outside[i]
        enough = cash[i] + incoming >= full - 1e-11 * (full + cash[i] + sum(owes[j][i] for j in range(n)))
        able.append(enough)
        if good[i] if good is not None else enough:
            new.append(banks)
            total.append(full)
            continue
        left = alpha * cash[i] + beta * incoming
        total.append(left)
        if banks == 0.0:
            new.append(0.0)
        elif seniority == "equal":
            new.append(min(banks, left * banks / full))
        elif seniority == "senior":
            new.append(min(banks, max(0.0, left - outside[i])))
        else:
            new.append(min(banks, left))
    return new, able, total


def clearing(owes, cash, outside, seniority="equal", alpha=1.0, beta=1.0, which="greatest", rounds=100_000):
    """Total payments, who defaults, and the step's distance from standing still, by plain iteration."""
    n = len(owes)
    if which == "greatest":
        paid = [sum(row) for row in owes]
        for _ in range(rounds):
            new, able, total = clearing_step(owes, cash, outside, seniority, alpha, beta, paid)
            moved = max([abs(a - b) for a, b in zip(new, paid, strict=True)], default=0.0)
            paid = new
            if moved <= 1e-15:
                break
        return total, [not a for a in able], moved
    good = [False] * n
    while True:  # whoever comes to have enough pays in full from then on; the others start again from nothing
        paid = [0.0] * n
        for _ in range(rounds):
            new, able, total = clearing_step(owes, cash, outside, seniority, alpha, beta, paid, good)
            moved = max([abs(a - b) for a, b in zip(new, paid, strict=True)], default=0.0)
            paid = new
            if moved <= 1e-15:
                break
        more = [a or g for a, g in zip(able, good, strict=True)]
        if more == good:
            return total, [not g for g in good], moved
        good = more
