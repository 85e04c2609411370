package broker

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOneDoor: only Broker.Publish writes to a queue, an outbox or a retained document. The table lists every function
// that does so in its source, and how Publish comes to it, or why it may.
func TestOneDoor(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{
		"give: deliver":          "Publish hands out by it, at once or when the commit is done",
		"handDirect: deliver":    "answers one client alone, as SendDirectMessage and answers to the requester do (SendTo): not routed, queued or retained",
		"deliverStored: deliver": "reads back what Publish has queued",
		"deliver: Deliver":       "gives the link what the four others that deliver are given",
		"deliverPaced: Deliver":  "the same, as far as the rates allow it",
		"deliverOrDrop: Deliver": "the same, as far as the rates allow it",
		"leaseOne: Deliver":      "reads back what Publish has queued for a shared subscription",
		"sendRetained: deliver":  "shows a new subscriber what Publish has retained",
		"finishRun: Append":      "Publish queues by it",
		"queueRetained: Append":  "shows a new persistent subscriber what Publish has retained",
		"retain: retained":       "Publish retains by it",
		"retained: retained":     "forgets what has expired, never writes",
	}
	var found []string
	for name, fn := range functions(t) {
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			if what := writesTo(n); what != "" {
				found = append(found, name+": "+what)
			}
			return true
		})
	}
	slices.Sort(found)
	for _, f := range slices.Compact(found) {
		if allowed[f] == "" {
			t.Errorf("%s: this is another door beside Broker.Publish", f)
		}
		delete(allowed, f)
	}
	for f := range allowed {
		t.Errorf("%s: not there any more; take it out of the table", f)
	}
}

// writesTo says what a piece of source writes to: "Deliver" and "deliver" an outbox, "Append" a queue, "retained" a retained document.
func writesTo(n ast.Node) string {
	switch n := n.(type) {
	case *ast.CallExpr:
		if s, ok := n.Fun.(*ast.SelectorExpr); ok && (s.Sel.Name == "Deliver" || s.Sel.Name == "deliver") {
			return s.Sel.Name
		}
	case *ast.CompositeLit:
		if s, ok := n.Type.(*ast.SelectorExpr); ok && s.Sel.Name == "Append" {
			return "Append"
		}
		if a, ok := n.Type.(*ast.ArrayType); ok {
			if s, ok := a.Elt.(*ast.SelectorExpr); ok && s.Sel.Name == "Append" {
				return "Append"
			}
		}
	case *ast.KeyValueExpr:
		key, _ := n.Key.(*ast.Ident)
		value, _ := n.Value.(*ast.Ident)
		if key != nil && value != nil && key.Name == "Bucket" && value.Name == "bucketRetained" {
			return "retained"
		}
	}
	return ""
}

// functions are all functions of the package outside tests.
func functions(t *testing.T) map[string]*ast.FuncDecl {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*ast.FuncDecl{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				all[fn.Name.Name] = fn
			}
		}
	}
	return all
}
