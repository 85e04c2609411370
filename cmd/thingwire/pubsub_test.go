package main

import "testing"

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a", "a/b", false},
		{"a/b", "a", false},
		{"device/+/details", "device/temp/details", true},
		{"device/+/details", "device/details", false},
		{"device/+/details", "device/a/b/details", false},
		{"+", "a", true},
		{"+", "a/b", false},
		{"#", "a/b/c", true},
		{"a/#", "a/b/c", true},
		{"a/#", "a/", true},
		{"a/#", "a", false},
		{"a/+", "a/", true},
		{"#", "$aws/x", false},
		{"+/x", "$aws/x", false},
		{"$aws/#", "$aws/x", true},
		{"$share/g/a/+", "a/b", true},
		{"$share/g/a", "b", false},
	} {
		if got := matches(c.filter, c.topic); got != c.want {
			t.Errorf("%s matches %s: %v", c.filter, c.topic, got)
		}
	}
}

func TestMessagesThatAreJSONAreSentAsTheyAre(t *testing.T) {
	for in, want := range map[string]string{
		`{"a": 1}`:      `{"a": 1}`,
		`[1]`:           `[1]`,
		`23.6`:          `23.6`,
		`Hello World!`:  `Hello World! [7]`,
		`{"a": 1} tail`: `{"a": 1} tail [7]`,
	} {
		o := pubsubOptions{message: in}
		if got := o.text(7); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
