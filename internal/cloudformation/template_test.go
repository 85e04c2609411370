package cloudformation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/thingwire/thingwire/internal/fault"
)

func TestTemplatesRefused(t *testing.T) {
	good := resources(`"A":` + roleText(""))
	with := func(section string) string { return `{` + section + `,` + good[1:] }
	property := func(text string) string { return resources(`"A":` + roleText(`,"Description":`+text)) }
	for _, c := range []struct{ name, text, words string }{
		{"nothing", "", "empty"},
		{"a comment", "# nothing", "empty"},
		{"too long", "{" + strings.Repeat(" ", maxTemplate) + "}", "51200"},
		{"not UTF-8", "\xff", "UTF-8"},
		{"no object", `["a"]`, "must be an object"},
		{"a word", "hello", "must be an object"},
		{"broken JSON", `{"Resources":`, "not well-formed"},
		{"broken YAML", "Resources:\n\t- a", "not well-formed"},
		{"two documents", "Resources: {}\n---\na: b", "second document"},
		{"an alias", "Resources: &a\n  B: *a\n", "aliases"},
		{"a merge", "Resources:\n  <<: {A: 1}\n", "a key must be a string"},
		{"a key that is a list", "? [a]\n: b\n", "a key must be a string"},
		{"null in YAML", "Resources:\n  A:\n", "'null' values are not allowed in templates (line 2)"},
		{"null in JSON", `{"Resources":null}`, "'null' values are not allowed in templates (line 1)"},
		{"a key twice in JSON", `{"Resources":{},"Resources":{}}`, "Resources is there twice"},
		{"a key twice in YAML", "Description: a\nDescription: b\n", "twice"},
		{"deep JSON", strings.Repeat("[", 100) + strings.Repeat("]", 100), "levels"},
		{"deep YAML", "a: " + strings.Repeat("[", 100) + "b" + strings.Repeat("]", 100), "levels"},
		{"an unknown tag", "Resources: !Frob {}\n", "the tag !Frob is unknown (line 1)"},
		{"an unknown section", with(`"Resource":{}`), "Invalid template property or properties [Resource]"},
		{"another version", with(`"AWSTemplateFormatVersion":"2010-09-10"`), "version not supported"},
		{"a long description", with(`"Description":"` + strings.Repeat("a", 1025) + `"`), "Description"},
		{"no resources", `{"Description":"x"}`, "At least one Resources member must be defined"},
		{"no such resources", `{"Resources":[]}`, "'Resources' must be an object, is a list"},
		{"a resource without a type", resources(`"A":{}`), "must contain a Type member"},
		{"a resource that is text", resources(`"A":"b"`), "must contain a Type member"},
		{"a resource with a dash", resources(`"a-b":` + roleText("")), "non alphanumeric"},
		{"a type of nobody", resources(`"A":{"Type":"Of::Nobody"}`), "Unrecognized resource types: [Of::Nobody]"},
		{"a strange attribute", resources(`"A":{"Type":"AWS::IAM::Role","Propertys":{}}`), "Invalid template resource property 'Propertys'"},
		{"a strange property", resources(`"A":` + roleText(`,"Colour":"red"`)), "Encountered unsupported property Colour"},
		{"a property that is missing", resources(`"A":{"Type":"AWS::IAM::Role"}`), "Property AssumeRolePolicyDocument of resource A cannot be empty"},
		{"properties that are a list", resources(`"A":{"Type":"AWS::IAM::Role","Properties":[]}`), "must be an object"},
		{"a policy to keep", resources(`"A":{"DeletionPolicy":"Snapshot",` + roleText("")[1:]), "DeletionPolicy Snapshot"},
		{"behind nothing", resources(`"A":{"DependsOn":["B"],` + roleText("")[1:]), "Unresolved resource dependencies [B]"},
		{"a condition of nobody", resources(`"A":{"Condition":"B",` + roleText("")[1:]), "Unresolved condition dependency B"},
		{"a circle of one", property(`{"Ref":"A"}`), "Circular dependency between resources: [A]"},
		{"a circle", resources(`"A":` + roleText(`,"Description":{"Ref":"B"}`) + `,"B":` + roleText(`,"Description":{"Fn::GetAtt":["A","Arn"]}`)), "[A, B]"},
		{"a reference to nothing", property(`{"Ref":"B"}`), "Unresolved resource dependencies [B] in the Resources block"},
		{"a reference to a list", property(`{"Ref":["B"]}`), "must be of type string"},
		{"a reference beside something", property(`{"Ref":"A","b":"c"}`), "stands beside other keys"},
		{"an attribute of nothing", property(`{"Fn::GetAtt":["B","Arn"]}`), "Unresolved resource dependencies [B]"},
		{"an attribute that is none", resources(`"A":` + roleText("") + `,"B":` + roleText(`,"Description":{"Fn::GetAtt":["A","Colour"]}`)), "does not support attribute {Colour}"},
		{"an attribute without a name", property(`{"Fn::GetAtt":["A"]}`), "two non-empty parameters"},
		{"a variable of nobody", property(`{"Fn::Sub":"${B}"}`), "Unresolved resource dependencies [B]"},
		{"a variable without end", property(`{"Fn::Sub":"${B"}`), "no closing brace"},
		{"an empty variable", property(`{"Fn::Sub":"${}"}`), "no variable"},
		{"Sub of a list of one", property(`{"Fn::Sub":["a"]}`), "expected arguments"},
		{"Join of text", property(`{"Fn::Join":"a"}`), "Fn::Join must have 2 arguments"},
		{"Join by a list", property(`{"Fn::Join":[["a"],["b"]]}`), "delimiter"},
		{"Select of one", property(`{"Fn::Select":["0"]}`), "must have 2 arguments"},
		{"If of two", property(`{"Fn::If":["A","b"]}`), "must have 3 arguments"},
		{"If of nothing", property(`{"Fn::If":["A","b","c"]}`), "Unresolved condition dependency A"},
		{"Equals in a property", property(`{"Fn::Equals":["a","b"]}`), "may stand in Conditions only"},
		{"a function of nobody", property(`{"Fn::Frob":"a"}`), "Unrecognized function Fn::Frob"},
		{"a condition that is text", with(`"Conditions":{"C":"a"}`), "boolean operations"},
		{"a condition of a resource", with(`"Conditions":{"C":{"Fn::Equals":[{"Ref":"A"},"b"]}}`), "Unresolved resource dependencies [A] in the Conditions block"},
		{"And of one", with(`"Conditions":{"C":{"Fn::And":[{"Fn::Equals":["a","b"]}]}}`), "2 to 10"},
		{"Not of two", with(`"Conditions":{"C":{"Fn::Not":[{"Condition":"C"},{"Condition":"C"}]}}`), "1 arguments"},
		{"a condition of a condition", with(`"Conditions":{"C":{"Condition":"D"}}`), "Unresolved condition dependency D"},
		{"an output without a value", with(`"Outputs":{"O":{}}`), "must contain a Value"},
		{"an output of nothing", with(`"Outputs":{"O":{"Value":{"Ref":"B"}}}`), "Unresolved resource dependencies [B] in the Outputs block"},
		{"a strange output", with(`"Outputs":{"O":{"Value":"a","Colour":"red"}}`), "Invalid template output property 'Colour'"},
		{"an export without a name", with(`"Outputs":{"O":{"Value":"a","Export":"b"}}`), "Export"},
		{"a parameter without a type", with(`"Parameters":{"P":{}}`), "must contain a Type member"},
		{"a parameter of no type", with(`"Parameters":{"P":{"Type":"Text"}}`), "Unrecognized parameter type: Text"},
		{"a parameter with a strange attribute", with(`"Parameters":{"P":{"Type":"String","Usual":"a"}}`), "Invalid template parameter property 'Usual'"},
		{"a pattern that is none", with(`"Parameters":{"P":{"Type":"String","AllowedPattern":"("}}`), "AllowedPattern"},
		{"a pattern that is large", with(`"Parameters":{"P":{"Type":"String","AllowedPattern":"` + strings.Repeat("a{1000}", 30) + `"}}`), "steps"},
		{"patterns that are large", with(`"Parameters":{` + many(30, `"P%d":{"Type":"String","AllowedPattern":"a{1000}"}`) + `}`), "steps"},
		{"a length that is none", with(`"Parameters":{"P":{"Type":"String","MinLength":"a"}}`), "MinLength a cannot be read"},
		{"a default that breaks its rules", with(`"Parameters":{"P":{"Type":"String","MinLength":2,"Default":"a"}}`), "at least 2 characters"},
		{"a parameter named as a resource", with(`"Parameters":{"A":{"Type":"String"}}`), "a parameter and a resource"},
		{"too many parameters", with(`"Parameters":{` + many(201, `"P%d":{"Type":"String"}`) + `}`), "200 are allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseTemplate(c.text)
			want(t, err, ErrValidation, c.words)
		})
	}
	for name, c := range map[string]struct{ text, words string }{
		"a bucket":             {resources(`"A":{"Type":"AWS::S3::Bucket"}`), "AWS::S3::Bucket"},
		"a boundary":           {resources(`"A":` + roleText(`,"PermissionsBoundary":"arn"`)), "PermissionsBoundary"},
		"groups":               {resources(`"A":{"Type":"AWS::IAM::Policy","Properties":{"Groups":["a"]}}`), "Groups"},
		"mappings":             {with(`"Mappings":{}`), "Mappings"},
		"a transform":          {with(`"Transform":"AWS::Serverless-2016-10-31"`), "Transform"},
		"a value of elsewhere": {property(`{"Fn::ImportValue":"a"}`), "Fn::ImportValue"},
		"a parameter of EC2":   {with(`"Parameters":{"P":{"Type":"AWS::EC2::VPC::Id"}}`), "AWS::EC2::VPC::Id"},
		"an update policy":     {resources(`"A":{"UpdatePolicy":{},` + roleText("")[1:]), "UpdatePolicy"},
	} {
		_, err := ParseTemplate(c.text)
		t.Run(name, func(t *testing.T) { unsupported(t, err, c.words) })
	}
}

// many repeats a text with numbers.
func many(n int, text string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(text, i)
	}
	return strings.Join(parts, ",")
}

func TestParameters(t *testing.T) {
	t.Parallel()
	template, err := ParseTemplate(`{"Parameters":{
		"Text":{"Type":"String","Default":"abc","MinLength":2,"MaxLength":"4","AllowedPattern":"[a-z]*"},
		"Choice":{"Type":"String","AllowedValues":["a",1],"Default":1,"ConstraintDescription":"a or 1"},
		"Number":{"Type":"Number","Default":5,"MinValue":1,"MaxValue":10},
		"List":{"Type":"CommaDelimitedList","Default":"a, b","AllowedPattern":"[a-z]"},
		"Numbers":{"Type":"List<Number>","Default":"1,2"},
		"Secret":{"Type":"String","NoEcho":true}},` + resources(`"A":` + roleText(""))[1:])
	if err != nil {
		t.Fatal(err)
	}
	secret := Input{Key: "Secret", Value: "s"}
	for _, c := range []struct {
		give  []Input
		words string // "" when it is good
	}{
		{[]Input{secret}, ""},
		{[]Input{secret, {Key: "Text", Value: "ab"}}, ""},
		{[]Input{secret, {Key: "Text", Value: "a"}}, "Parameter 'Text' must contain at least 2 characters"},
		{[]Input{secret, {Key: "Text", Value: "abcde"}}, "must contain at most 4 characters"},
		{[]Input{secret, {Key: "Text", Value: "AB"}}, "must match pattern [a-z]*"},
		{[]Input{secret, {Key: "Text", Value: "ab\n"}}, "must match pattern"},
		{[]Input{secret, {Key: "Text", Value: strings.Repeat("a", 4097)}}, "4096"},
		{[]Input{secret, {Key: "Choice", Value: "b"}}, "failed to satisfy constraint: a or 1"},
		{[]Input{secret, {Key: "Number", Value: "x"}}, "must be a number"},
		{[]Input{secret, {Key: "Number", Value: "1e9"}}, "must be a number"},
		{[]Input{secret, {Key: "Number", Value: "0.5"}}, "not less than 1"},
		{[]Input{secret, {Key: "Number", Value: "11"}}, "not greater than 10"},
		{[]Input{secret, {Key: "List", Value: "a,B"}}, "must match pattern"},
		{[]Input{secret, {Key: "Numbers", Value: "1,x"}}, "must be a number"},
		{[]Input{secret, secret}, "Duplicate value for parameter key Secret"},
		{nil, "Parameters: [Secret] must have values"},
		{[]Input{secret, {Key: "Colour", Value: "red"}, {Key: "Size"}}, "Parameters: [Colour, Size] do not exist in the template"},
		{[]Input{{Key: "Secret", UsePrevious: true}}, "usePreviousValue"},
	} {
		values, err := template.bind(c.give, nil)
		if c.words != "" {
			want(t, err, ErrValidation, c.words)
		} else if err != nil || values["Choice"] != "1" || values["Secret"] != "s" {
			t.Errorf("%+v: %v, %v", c.give, values, err)
		}
	}
	if values, err := template.bind([]Input{{Key: "Secret", UsePrevious: true}}, map[string]string{"Secret": "before"}); err != nil || values["Secret"] != "before" {
		t.Errorf("previous: %v, %v", values, err)
	}
	if got := template.parameter("List").node("a, b ,c"); got.json() != `["a","b","c"]` {
		t.Errorf("a list is %s", got.json())
	}
}

// What functions make, in the long form of JSON and the short form of YAML.
func TestFunctions(t *testing.T) {
	const head = "Parameters:\n  P: {Type: String, Default: v}\n  L: {Type: CommaDelimitedList, Default: 'a,b'}\n" +
		"Conditions:\n  Yes: !Equals [!Ref P, v]\n  No: !Not [!Condition Yes]\n  Both: !And [!Condition Yes, !Condition No]\n  Either: !Or [!Condition No, !Condition Yes]\n" +
		"Resources:\n  A:\n    Type: AWS::IAM::Role\n    Properties: {AssumeRolePolicyDocument: {Version: 2012-10-17}}\n" +
		"Outputs:\n  O:\n    Value: "
	for _, c := range []struct{ yaml, want, words string }{
		{yaml: `text`, want: "text"},
		{yaml: `012345678901`, want: "012345678901"},
		{yaml: `2012-10-17`, want: "2012-10-17"},
		{yaml: `yes`, want: "yes"},
		{yaml: `0x1F`, want: "0x1F"},
		{yaml: `!Ref P`, want: "v"},
		{yaml: `{Ref: P}`, want: "v"},
		{yaml: `!Ref A`, want: "physical"},
		{yaml: `!GetAtt A.Arn`, want: "the:arn"},
		{yaml: `{"Fn::GetAtt": [A, Arn]}`, want: "the:arn"},
		{yaml: `{"Fn::GetAtt": A.Arn}`, want: "the:arn"},
		{yaml: `!GetAtt [A, RoleId]`, want: "AROA"},
		{yaml: `!Sub "${P}-${A}-${A.Arn}-${AWS::Region}-${!P}-$P"`, want: "v-physical-the:arn-eu-west-1-${P}-$P"},
		{yaml: `!Sub ["${x}${P}", {x: !Join [/, [a, !Ref P]]}]`, want: "a/vv"},
		{yaml: `!Sub ["${P}", {P: mine}]`, want: "mine"},
		{yaml: `!Join ["", [arn, ":", !Ref "AWS::Partition"]]`, want: "arn:aws"},
		{yaml: `!Join ["-", !Ref L]`, want: "a-b"},
		{yaml: `!Join ["-", !Split [".", x.y.z]]`, want: "x-y-z"},
		{yaml: `!Select [1, !Ref L]`, want: "b"},
		{yaml: `!Select ["1", [a, !Ref P]]`, want: "v"},
		{yaml: `!If [Yes, a, b]`, want: "a"},
		{yaml: `!If [No, a, !Ref P]`, want: "v"},
		{yaml: `!If [Both, a, b]`, want: "b"},
		{yaml: `!If [Either, a, b]`, want: "a"},
		{yaml: `!Join ["", [a, !If [No, b, !Ref "AWS::NoValue"], c]]`, want: "ac"},
		{yaml: `!Ref AWS::StackName`, want: "st"},
		{yaml: `!Ref AWS::AccountId`, want: account},
		{yaml: `!Ref AWS::URLSuffix`, want: "amazonaws.com"},

		{yaml: `!Ref L`, words: "must evaluate to a String"},
		{yaml: `!Ref AWS::NoValue`, words: "must evaluate to a String"},
		{yaml: `[a]`, words: "must evaluate to a String"},
		{yaml: `!Select [2, !Ref L]`, words: "nonexistent value at index 2"},
		{yaml: `!Select [x, !Ref L]`, words: "nonexistent value at index x"},
		{yaml: `!Join [",", !Ref P]`, words: "requires a list of strings"},
		{yaml: `!Sub "${L}"`, words: "is a list, not a string"},
		{yaml: `!Select [0, !Split ["", a]]`, words: "Fn::Split"},
	} {
		t.Run(c.yaml, func(t *testing.T) {
			template, err := ParseTemplate(head + c.yaml + "\n")
			if err != nil {
				t.Fatal(err)
			}
			values, err := template.bind(nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			s := (&Stacks{cfg: Config{Account: account, Region: "eu-west-1"}})
			a := &applier{record: &record{stack: &Stack{Name: "st"}}, want: desired{template: template}}
			a.scope = template.scope(values, s.pseudo(a.stack))
			a.scope.made["A"] = made{"physical", map[string]string{"Arn": "the:arn", "RoleId": "AROA"}}
			got, err := a.outputs()
			if c.words != "" {
				want(t, err, ErrValidation, c.words)
			} else if err != nil || got[0].Value != c.want {
				t.Errorf("got %v, %v, want %q", got, err, c.want)
			}
		})
	}
}

// A document keeps the order of its members, and dates and numbers in it are text.
func TestDocumentsOfTemplates(t *testing.T) {
	t.Parallel()
	n, err := readTemplate("Version: 2012-10-17\nStatement:\n  - Principal: {AWS: 123456789012}\n    Effect: Allow\n    \"Wei<rd&\": true\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := n.json(), `{"Version":"2012-10-17","Statement":[{"Principal":{"AWS":"123456789012"},"Effect":"Allow","Wei<rd&":"true"}]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Templates that make much of little stop.
func TestTemplatesThatGrow(t *testing.T) {
	for name, text := range map[string]string{"text": "x", "nothing": ""} {
		value := fmt.Sprintf("%q", text)
		for range 15 {
			value = `{"Fn::Sub":["${a}${a}${a}${a}",{"a":` + value + `}]}`
		}
		template, err := ParseTemplate(resources(`"A":` + roleText(`,"Description":`+value)))
		if err != nil {
			t.Fatal(err)
		}
		s := template.scope(nil, nil)
		_, err = s.eval(template.resources[0].properties)
		t.Run(name, func(t *testing.T) { want(t, err, ErrValidation, "make more than") })
	}
}

func TestConditionsInACircle(t *testing.T) {
	t.Parallel()
	template, err := ParseTemplate(`{"Conditions":{"A":{"Condition":"B"},"B":{"Fn::Not":[{"Condition":"A"}]}},` + resources(`"R":{"Condition":"A",` + roleText("")[1:])[1:])
	if err != nil {
		t.Fatal(err)
	}
	_, err = template.scope(nil, nil).wanted()
	want(t, err, ErrValidation, "Circular dependency between conditions")
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		named        bool
		capabilities []string
		code         NameError
	}{
		{"nothing acknowledged", false, nil, ErrInsufficientCapabilities},
		{"expansion acknowledged", false, []string{"CAPABILITY_AUTO_EXPAND"}, ErrInsufficientCapabilities},
		{"acknowledged", false, []string{CapabilityIAM}, ""},
		{"more than that", false, []string{CapabilityNamedIAM}, ""},
		{"a name, and less than that", true, []string{CapabilityIAM}, ErrInsufficientCapabilities},
		{"a name", true, []string{CapabilityIAM, CapabilityNamedIAM}, ""},
		{"a capability that is none", false, []string{CapabilityIAM, "CAPABILITY_FLY"}, ErrValidation},
	} {
		more := ""
		if c.named {
			more = `,"RoleName":{"Ref":"AWS::NoValue"}`
		}
		template, err := ParseTemplate(resources(`"A":` + roleText(more)))
		if err != nil {
			t.Fatal(err)
		}
		err = template.acknowledged(c.capabilities)
		if c.code == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		want(t, err, c.code, "")
	}
}

// The seed's template is good, and trusts the account that it is made for.
func TestSigfoxTemplate(t *testing.T) {
	t.Parallel()
	text := SigfoxTemplate("111122223333")
	template, err := ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	if capability, _ := template.Capability(); capability != CapabilityIAM || !strings.Contains(text, "arn:aws:iam::111122223333:root") {
		t.Errorf("%s of %s", capability, text)
	}
	good := map[string]string{"AWSAccountId": account, "ExternalId": "7e4c", "Region": "eu-west-1", "TopicName": "a/b/{c}"}
	for _, c := range []struct{ key, value string }{
		{"", ""},
		{"AWSAccountId", "12345678901"},
		{"AWSAccountId", "12345678901x"},
		{"ExternalId", "x"},
		{"ExternalId", "a b"},
		{"ExternalId", strings.Repeat("x", 1225)},
		{"Region", "Ireland"},
		{"TopicName", ""},
		{"TopicName", "a/+"},
		{"TopicName", "a/#"},
		{"TopicName", "$aws/a"},
		{"TopicName", "*"},
		{"TopicName", "a?"},
		{"TopicName", strings.Repeat("a", 257)},
	} {
		var give []Input
		for key, value := range good {
			if key == c.key {
				value = c.value
			}
			give = append(give, Input{Key: key, Value: value})
		}
		if _, err := template.bind(give, nil); (c.key == "") != (err == nil) || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// Whatever comes is refused in words or evaluated in bounds.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		SigfoxTemplate(account), resources(`"A":` + roleText(`,"Description":{"Fn::Sub":["${a}${!b}",{"a":{"Ref":"AWS::Region"}}]}`)),
		"Conditions: {C: !Equals [!Ref 'AWS::Region', x]}\nResources:\n  A: {Type: AWS::IAM::Policy, Condition: C, DependsOn: [A], Properties: {PolicyName: !If [C, a, b], PolicyDocument: {}}}\nOutputs: {O: {Value: !Select [0, !Split [',', !Join ['', [a]]]], Export: {Name: x}}}",
		"a: &x [*x]", "!Ref a", "{\"Resources\":", "? a\n: b", "--- a\n--- b", "Parameters: {P: {Type: List<Number>, Default: '1,2', MinValue: 1}}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		template, err := ParseTemplate(text)
		if err != nil {
			if k := fault.KindOf(err); k != fault.Invalid && k != fault.Unsupported {
				t.Fatalf("%v: %v", k, err)
			}
			return
		}
		values, err := template.bind(nil, nil)
		if err != nil {
			return
		}
		w := &work{keys: nil, stack: "s"}
		a := &applier{record: &record{stack: &Stack{Name: "s"}}, w: w, want: desired{template: template}, scope: template.scope(values, nil)}
		wanted, err := a.scope.wanted()
		for _, r := range wanted {
			p, evalErr := a.scope.eval(r.properties)
			if evalErr == nil {
				if back, err := readJSON([]byte(p.json())); err != nil || back.json() != p.json() {
					t.Fatalf("%s does not come back: %v", p.json(), err)
				}
				_, _ = readRole(p)   // either answer is right
				_, _ = readPolicy(p) // the same
			}
			a.scope.made[r.id] = made{"x", map[string]string{}}
		}
		if err == nil {
			_, _ = a.outputs() // either answer is right
		}
	})
}
