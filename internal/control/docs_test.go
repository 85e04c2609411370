package control

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// docs is the root of the repository, where the documents are.
const docs = "../.."

// The list of operations that people read is the table that answers them.
func TestCompatibilityListsTheOperations(t *testing.T) {
	t.Parallel()
	var control, query []string
	for _, op := range operations() {
		control = append(control, op.name)
	}
	for _, op := range queryOperations() {
		query = append(query, op.name)
	}
	compareOperations(t, control, "### Control-plane operations")
	compareOperations(t, query, "### STS, IAM and CloudFormation operations")
}

func compareOperations(t *testing.T, have []string, heading string) {
	t.Helper()
	told := operationsIn(t, filepath.Join(docs, "docs", "compatibility.md"), heading)
	for _, name := range have {
		if !slices.Contains(told, name) {
			t.Errorf("docs/compatibility.md does not list %s", name)
		}
	}
	for i, name := range told {
		if !slices.Contains(have, name) {
			t.Errorf("docs/compatibility.md lists %s, which is not in the table of operations", name)
		}
		if slices.Contains(told[:i], name) {
			t.Errorf("docs/compatibility.md lists %s twice", name)
		}
	}
}

// Where their number is told, it is theirs.
func TestDocumentsCountTheOperations(t *testing.T) {
	t.Parallel()
	want := fmt.Sprintf("%d operations", len(operations()))
	for _, file := range []string{"README.md", "CHANGELOG.md"} {
		if !strings.Contains(read(t, filepath.Join(docs, file)), want) {
			t.Errorf("%s does not say %q", file, want)
		}
	}
}

// operationsIn gives what stands in the second column of the table under a heading.
func operationsIn(t *testing.T, file, heading string) (names []string) {
	t.Helper()
	_, section, ok := strings.Cut(read(t, file), heading+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", file, heading)
	}
	section, _, _ = strings.Cut(section, "\n#")
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || strings.HasPrefix(line, "|---") || strings.TrimSpace(cells[2]) == "operations" {
			continue
		}
		for name := range strings.SplitSeq(cells[2], ",") {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var witness = regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]*|[a-z_]+\\.txt|test_[a-z0-9_]+\\.py)`")

// What the document names as a witness exists.
func TestCompatibilityNamesItsWitnesses(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	for _, pattern := range []string{"internal/*/testdata/*.txt", "clients/python/test_*.py"} {
		for _, file := range glob(t, pattern) {
			there[filepath.Base(file)] = true
		}
	}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, file := range slices.Concat(glob(t, "internal/*/*_test.go"), glob(t, "internal/sigfox/*/*_test.go"), glob(t, "thingwiretest/*_test.go")) {
		for _, found := range declared.FindAllStringSubmatch(read(t, file), -1) {
			there[found[1]] = true
		}
	}
	for _, named := range witness.FindAllStringSubmatch(read(t, filepath.Join(docs, "docs", "compatibility.md")), -1) {
		if !there[named[1]] {
			t.Errorf("docs/compatibility.md names %s, which does not exist", named[1])
		}
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(docs, pattern))
	if err != nil || len(files) == 0 {
		t.Fatal("nothing is there: ", pattern, err)
	}
	return files
}
