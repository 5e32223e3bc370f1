# Values of single runs, FIGURE|UNIT|VARIANT|VALUE, become one table.  Its columns
# are the variants of list, "ours" first; titles, with semicolons between, say more.

BEGIN {
    FS = "|"

    if (list == "") {
        list = "ours a b"
        titles = "ours;(a) nginx, nginx;(b) nginx"
    }

    nv = split(list, variants, " ")
    split(titles, title, ";")
}

{
    key = $1

    if (!(key in unit)) {
        unit[key] = $2 == "us" ? "µs" : $2
        order[++rows] = key
    }

    count[key, $3]++
    value[key, $3, count[key, $3]] = $4 + 0
}

function show(x,    a) {
    a = x < 0 ? -x : x

    if (a >= 1000) return sprintf("%.0f", x)
    if (a >= 100)  return sprintf("%.1f", x)
    if (a >= 0.1 || a == 0)  return sprintf("%.2f", x)

    return sprintf("%.4f", x)
}

# sorted[], lowest first; returns how many

function sort_values(key, variant,    n, i, j, x) {
    n = count[key, variant]

    for (i = 1; i <= n; i++) {
        x = value[key, variant, i]

        for (j = i - 1; j >= 1 && sorted[j] > x; j--) {
            sorted[j + 1] = sorted[j]
        }

        sorted[j + 1] = x
    }

    return n
}

function median(key, variant,    n) {
    n = sort_values(key, variant)

    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

function cell(key, variant,    n, m) {
    n = count[key, variant]

    if (!n) return "-"

    m = median(key, variant)

    if (sorted[1] == sorted[n]) return show(m)

    return show(m) " (" show(sorted[1]) " to " show(sorted[n]) ")"
}

function ratio(key, variant,    them) {
    if (!count[key, "ours"] || !count[key, variant]) return "-"

    them = median(key, variant)

    return them == 0 ? "-" : sprintf("%.2f", median(key, "ours") / them)
}

END {
    head = "| figure | unit |"
    rule = "| --- | --- |"

    for (v = 1; v <= nv; v++) {
        head = head " " title[v] " |"
        rule = rule " ---: |"
    }

    for (v = 2; v <= nv; v++) {
        head = head " ours / " variants[v] " |"
        rule = rule " ---: |"
    }

    print head
    print rule

    for (i = 1; i <= rows; i++) {
        key = order[i]
        line = "| " key " | " unit[key] " |"

        for (v = 1; v <= nv; v++) {
            line = line " " cell(key, variants[v]) " |"
        }

        for (v = 2; v <= nv; v++) {
            line = line " " ratio(key, variants[v]) " |"
        }

        print line
    }
}
