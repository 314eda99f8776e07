package toml

import (
	"slices"
	"strings"
)

// knownList says which keys there are, as long as a person would read the list.
func knownList(names []string) string {
	const readable = 12
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	if len(names) > readable {
		names = append(names[:readable:readable], "...")
	}
	return "; known here: " + strings.Join(names, ", ")
}

// edits counts the insertions, deletions and replacements between two words
// (Levenshtein). Words past 64 bytes are taken as wholly different, which
// bounds the work.
func edits(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
