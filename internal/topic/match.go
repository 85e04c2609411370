package topic

import "strings"

// Match reports whether a filter pattern (without $share/group/) matches a topic name.
//
// The rules are AWS's (Developer Guide, "MQTT topics"): + matches exactly one level, also an empty one; # stands last and
// matches one level or more, so a/# does not match a, where the MQTT specification (section 4.7.1.2) would; a pattern that
// begins with a wildcard matches no name that begins with $ [MQTT-4.7.2-1]. A # that is not last and a wildcard that is
// only part of a level are no wildcards; ParseFilter refuses them.
func Match(pattern, name string) bool {
	if startsReserved(name) && startsWild(pattern) {
		return false
	}
	return matchLevels(pattern, name)
}

// matchLevels is Match below the first level, where $ means nothing.
func matchLevels(pattern, name string) bool {
	for {
		want, patternRest, patternDeeper := cutLevel(pattern)
		if want == "#" && !patternDeeper {
			return true
		}
		have, nameRest, nameDeeper := cutLevel(name)
		if want != "+" && want != have {
			return false
		}
		if !patternDeeper || !nameDeeper {
			return patternDeeper == nameDeeper
		}
		pattern, name = patternRest, nameRest
	}
}

// cutLevel splits off the first level. deeper tells "a" (false) from "a/" (true, with an empty level to come).
func cutLevel(s string) (level, rest string, deeper bool) {
	return strings.Cut(s, "/")
}

// startsReserved reports whether a name belongs to the server [MQTT-4.7.2-1].
func startsReserved(name string) bool {
	return name != "" && name[0] == '$'
}

// startsWild reports whether the first level of a pattern is a wildcard.
func startsWild(pattern string) bool {
	if pattern == "" || (pattern[0] != '+' && pattern[0] != '#') {
		return false
	}
	return len(pattern) == 1 || pattern[1] == '/'
}
