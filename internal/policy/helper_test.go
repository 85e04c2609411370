package policy

import "testing"

// setOf compiles documents, each named by its place.
func setOf(t testing.TB, docs ...string) *Set {
	t.Helper()
	var sources []Source
	for i, text := range docs {
		doc, err := Parse([]byte(text), IoT)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, Source{Name: string(rune('a' + i)), Version: "1", Document: doc})
	}
	return Compile(sources...)
}
