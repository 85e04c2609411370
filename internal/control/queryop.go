package control

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/thingwire/thingwire/internal/fault"
)

// queryService is a service of the Query protocol.
type queryService struct {
	name      string // as it signs, and as its actions begin
	version   string
	namespace string // of its answers
}

var (
	stsService            = &queryService{"sts", "2011-06-15", "https://sts.amazonaws.com/doc/2011-06-15/"}
	iamService            = &queryService{"iam", "2010-05-08", "https://iam.amazonaws.com/doc/2010-05-08/"}
	cloudFormationService = &queryService{"cloudformation", "2010-05-15", "http://cloudformation.amazonaws.com/doc/2010-05-15/"}

	queryServices = []*queryService{stsService, iamService, cloudFormationService}
)

// about is what an operation asks permission for.
type about uint8

const (
	aboutNothing      about = iota // no permission is needed
	aboutUsers                     // all users
	aboutUser                      // the user UserName
	aboutUserOrCaller              // the user UserName, else the one who signed
	aboutRoles                     // all roles
	aboutRole                      // the role RoleName
	aboutAnything                  // whatever there is
	aboutStack                     // the stack StackName
	aboutStackIfAny                // the stack StackName, else whatever there is
	aboutChangeSet                 // the stack StackName, else the one of the change set
)

// queryOperation is one row of the table of the Query protocol.
type queryOperation struct {
	service *queryService
	name    string
	about   about
	absent  []string                      // members of AWS's that are refused
	run     func(*queryCall) (any, error) // nil when Thingwire does not have it; nil as its answer is no Result element
}

type queryName struct{ service, operation string }

// queryOperations is the table: what Thingwire implements of STS, IAM and CloudFormation.
func queryOperations() []queryOperation {
	return append(identityOperations(), stackOperations()...)
}

// absentOfStacks are members of AWS's for whatever makes or changes a stack.
var absentOfStacks = []string{
	"TemplateURL", "RollbackConfiguration", "NotificationARNs", "RoleARN", "ResourceTypes", "StackPolicyBody", "StackPolicyURL",
	"StackPolicyDuringUpdateBody", "StackPolicyDuringUpdateURL", "DeploymentConfig", "RetainExceptOnCreate", "DisableValidation",
	"IncludeNestedStacks", "ResourcesToImport", "ImportExistingResources", "DeploymentMode",
}

func stackOperations() []queryOperation {
	cf := cloudFormationService
	return []queryOperation{
		{cf, "CreateStack", aboutStack, absentOfStacks, createStack},
		{cf, "UpdateStack", aboutStack, slices.Concat(absentOfStacks, []string{"DisableRollback"}), updateStack},
		{cf, "DeleteStack", aboutStack, []string{"RoleARN", "DeploymentConfig"}, deleteStack},
		{cf, "UpdateTerminationProtection", aboutStack, nil, updateTerminationProtection},
		{cf, "DescribeStacks", aboutStackIfAny, nil, describeStacks},
		{cf, "ListStacks", aboutAnything, nil, listStacks},
		{cf, "DescribeStackEvents", aboutStack, nil, describeStackEvents},
		{cf, "DescribeStackResource", aboutStack, nil, describeStackResource},
		{cf, "DescribeStackResources", aboutStackIfAny, nil, describeStackResources},
		{cf, "ListStackResources", aboutStack, nil, listStackResources},
		{cf, "GetTemplate", aboutChangeSet, nil, getTemplate},
		{cf, "GetTemplateSummary", aboutStackIfAny, []string{"TemplateURL", "StackSetName", "TemplateSummaryConfig"}, getTemplateSummary},
		{cf, "ValidateTemplate", aboutAnything, []string{"TemplateURL"}, validateTemplate},
		{cf, "CreateChangeSet", aboutStack, absentOfStacks, createChangeSet},
		{cf, "DescribeChangeSet", aboutChangeSet, []string{"IncludePropertyValues"}, describeChangeSet},
		{cf, "ListChangeSets", aboutStack, nil, listChangeSets},
		{cf, "ExecuteChangeSet", aboutChangeSet, []string{"RetainExceptOnCreate"}, executeChangeSet},
		{cf, "DeleteChangeSet", aboutChangeSet, nil, deleteChangeSet},
	}
}

func identityOperations() []queryOperation {
	return []queryOperation{
		{stsService, "GetCallerIdentity", aboutNothing, nil, getCallerIdentity},
		{stsService, "GetSessionToken", aboutNothing, []string{"SerialNumber", "TokenCode", "MinimumSessionTokenSize"}, getSessionToken},

		{stsService, "AssumeRole", aboutNothing, []string{
			"PolicyArns", "Tags", "TransitiveTagKeys", "SerialNumber", "TokenCode", "SourceIdentity", "ProvidedContexts", "MinimumSessionTokenSize",
		}, assumeRole},

		{iamService, "CreateUser", aboutUser, []string{"PermissionsBoundary", "Tags"}, createUser},
		{iamService, "GetUser", aboutUserOrCaller, nil, getUser},
		{iamService, "ListUsers", aboutUsers, nil, listUsers},
		{iamService, "DeleteUser", aboutUser, nil, deleteUser},

		{iamService, "CreateAccessKey", aboutUserOrCaller, nil, createAccessKey},
		{iamService, "ListAccessKeys", aboutUserOrCaller, nil, listAccessKeys},
		{iamService, "UpdateAccessKey", aboutUserOrCaller, nil, updateAccessKey},
		{iamService, "DeleteAccessKey", aboutUserOrCaller, nil, deleteAccessKey},

		{iamService, "PutUserPolicy", aboutUser, nil, putUserPolicy},
		{iamService, "GetUserPolicy", aboutUser, nil, getUserPolicy},
		{iamService, "ListUserPolicies", aboutUser, nil, listUserPolicies},
		{iamService, "DeleteUserPolicy", aboutUser, nil, deleteUserPolicy},

		{iamService, "CreateRole", aboutRole, []string{"PermissionsBoundary", "MaxSigninSessionDuration"}, createRole},
		{iamService, "GetRole", aboutRole, nil, getRole},
		{iamService, "ListRoles", aboutRoles, nil, listRoles},
		{iamService, "UpdateRole", aboutRole, []string{"MaxSigninSessionDuration"}, updateRole},
		{iamService, "UpdateRoleDescription", aboutRole, nil, updateRoleDescription},
		{iamService, "UpdateAssumeRolePolicy", aboutRole, nil, updateAssumeRolePolicy},
		{iamService, "DeleteRole", aboutRole, nil, deleteRole},
		{iamService, "PutRolePolicy", aboutRole, nil, putRolePolicy},
		{iamService, "GetRolePolicy", aboutRole, nil, getRolePolicy},
		{iamService, "ListRolePolicies", aboutRole, nil, listRolePolicies},
		{iamService, "DeleteRolePolicy", aboutRole, nil, deleteRolePolicy},
		{iamService, "AttachRolePolicy", aboutRole, nil, attachRolePolicy},
		{iamService, "DetachRolePolicy", aboutRole, nil, detachRolePolicy},
		{iamService, "ListAttachedRolePolicies", aboutRole, nil, listAttachedRolePolicies},
		{iamService, "ListInstanceProfilesForRole", aboutRole, nil, listInstanceProfilesForRole},
		{iamService, "TagRole", aboutRole, nil, tagRole},
		{iamService, "UntagRole", aboutRole, nil, untagRole},
		{iamService, "ListRoleTags", aboutRole, nil, listRoleTags},
	}
}

// absentQuery lists all operations of AWS's three services, service and name. What is in it and not in the table is
// refused by its name.
//
//go:embed absentquery.txt
var absentQuery string

func queryTable() map[queryName]*queryOperation {
	table := map[queryName]*queryOperation{}
	for line := range strings.Lines(absentQuery) {
		service, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, s := range queryServices {
			if s.name == service {
				table[queryName{service, name}] = &queryOperation{service: s, name: name}
			}
		}
	}
	for _, op := range queryOperations() {
		table[queryName{op.service.name, op.name}] = &op
	}
	return table
}

// find gives the operation of a form. signed is the service that the signature is for, which nothing in the form can
// change; the root of the admin socket signs nothing, for it the version tells.
func (q *Query) find(form queryForm, signed string) (*queryOperation, error) {
	action := form["Action"]
	if action == "" {
		return nil, fault.Wrap(fault.Invalid, errMissingAction, "the request has no Action").
			WithRemedy("say which operation of sts, iam or cloudformation it is for")
	}
	version := form["Version"]
	for _, s := range queryServices {
		if s.version != version || signed != "" && signed != s.name {
			continue
		}
		op := q.operations[queryName{s.name, action}]
		if op == nil {
			break
		}
		if op.run == nil {
			return nil, notImplemented(s.name + ":" + action)
		}
		return op, nil
	}
	if version == "" {
		version = "NO_VERSION_SPECIFIED"
	}
	return nil, fault.Wrap(fault.Invalid, errInvalidAction, "Could not find operation %s for version %s", fault.Shortened(action), fault.Shortened(version))
}
