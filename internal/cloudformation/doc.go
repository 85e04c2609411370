// Package cloudformation makes stacks of templates: what a stack needs of AWS CloudFormation to hold an IAM role with its
// policies, such as the one that lets the Sigfox cloud publish.
//
// A template is JSON or YAML (node.go, yaml.go, json.go), checked as a whole before anything is made (template.go) and
// evaluated (scope.go) with parameters, conditions and functions. There are two types of resources, AWS::IAM::Role and
// AWS::IAM::Policy; what it does not know it refuses by its name.
//
// A stack is whole or it is not there: its document, its events and the roles and policies that it consists of are one
// store.Commit (iam.Changes). So nothing is half created, updated or deleted after a power cut, the call that makes a
// stack answers when it is complete, and the states …_IN_PROGRESS exist in events alone. Each commit stands under the
// revisions that were read, and is planned again from the start when somebody else was faster.
//
// Stacks act in the name of whoever calls: a caller without permission for iam:CreateRole gets no role by a detour.
//
// It imports fault, iam, store and store/documents.
package cloudformation
