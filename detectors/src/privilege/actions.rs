//! Privileged actions of cloud APIs by their names, as audit logs write them: `iam.amazonaws.com/CreateUser`,
//! `google.iam.admin.v1.CreateServiceAccountKey`, `Microsoft.Authorization/roleAssignments/write`.
//!
//! Grouped by the techniques of MITRE ATT&CK's cloud matrix that they serve. An action is blatant if those who do it are
//! few and what follows is grave, notable if infrastructure tools do it as well.

use super::{Grade, Privilege, PrivilegeClass};

/// The privilege of a call to the action that `route` names.
pub(super) fn classify_action(route: &str) -> Option<Privilege> {
    let action = action_of(route);
    let classes = PrivilegeClass::ALL.into_iter().skip(1);
    classes.zip(ACTIONS).find_map(|(class, grades)| {
        let lists = [
            (Grade::Blatant, grades.blatant),
            (Grade::Notable, grades.notable),
            (Grade::Burst, grades.burst),
        ];
        let grade = lists.into_iter().find(|(_, names)| {
            // Google's compute and storage begin theirs with a small letter, Azure's may be written in capitals.
            names.iter().any(|name| name.eq_ignore_ascii_case(action))
        });
        grade.map(|(grade, _)| Privilege { class, grade })
    })
}

/// `CreateUser` of `iam.amazonaws.com/CreateUser`, `roleAssignments/write` of `Microsoft.Authorization/roleAssignments/write`;
/// without the version that Lambda puts behind its names.
pub(crate) fn action_of(route: &str) -> &str {
    let action = match route.rsplit_once('/') {
        Some((before, verb)) if VERBS.iter().any(|known| known.eq_ignore_ascii_case(verb)) => {
            let start = before.rfind('/').map_or(0, |at| at + 1);
            &route[start..]
        }
        Some((_, action)) => action,
        None => route.rsplit_once('.').map_or(route, |(_, action)| action),
    };
    match action.find("20") {
        Some(at)
            if at > 0
                && action.as_bytes()[at..]
                    .iter()
                    .take(8)
                    .all(u8::is_ascii_digit) =>
        {
            &action[..at]
        }
        _ => action,
    }
}

/// What Azure's actions end with.
const VERBS: [&str; 3] = ["write", "delete", "action"];

struct Grades {
    blatant: &'static [&'static str],
    notable: &'static [&'static str],
    burst: &'static [&'static str],
}

/// One entry for each class but the first, which cloud APIs do not have.
const ACTIONS: [Grades; 7] = [
    ACCOUNTS,
    CREDENTIALS,
    TAMPERING,
    SECRETS,
    SHARING,
    EXECUTION,
    DESTRUCTION,
];

/// T1136.003 Create Cloud Account, T1098.003 Additional Cloud Roles, T1484 Domain or Tenant Policy Modification.
const ACCOUNTS: Grades = Grades {
    blatant: &[
        "AddUserToGroup",
        "AttachGroupPolicy",
        "AttachUserPolicy",
        "CreatePolicyVersion",
        "CreateTrustAnchor",
        "CreateUser",
        "DeleteRolePermissionsBoundary",
        "DeleteUserPermissionsBoundary",
        "PutGroupPolicy",
        "PutUserPolicy",
        "SetDefaultPolicyVersion",
        "UpdateAssumeRolePolicy",
        "elevateAccess/action",
        "roleAssignments/write",
    ],
    notable: &[
        "AddClientIDToOpenIDConnectProvider",
        "AddRoleToInstanceProfile",
        "AttachRolePolicy",
        "CreateAccount",
        "CreateFoundationModelAgreement",
        "CreateGroup",
        "CreateOpenIDConnectProvider",
        "CreateRole",
        "CreateSAMLProvider",
        "CreateServiceAccount",
        "EnableRegion",
        "InviteAccountToOrganization",
        "PutFoundationModelEntitlement",
        "PutRolePolicy",
        "PutUseCaseForModelAccess",
        "SetIamPolicy",
        "UpdateSAMLProvider",
        "roleDefinitions/write",
    ],
    burst: &[],
};

/// T1098.001 Additional Cloud Credentials, T1556.006 Multi-Factor Authentication, T1550.001 Application Access Token.
const CREDENTIALS: Grades = Grades {
    blatant: &[
        "AssumeRoot",
        "CreateAccessKey",
        "CreateLoginProfile",
        "CreateServiceAccountKey",
        "CreateServiceSpecificCredential",
        "DeactivateMFADevice",
        "DeleteAccountPasswordPolicy",
        "GetFederationToken",
        "ResetServiceSpecificCredential",
        "UpdateLoginProfile",
        "UploadServiceAccountKey",
        "UploadSigningCertificate",
    ],
    notable: &[
        "ChangePassword",
        "CreateKeyPair",
        "CreateVirtualMFADevice",
        "DeleteVirtualMFADevice",
        "EnableMFADevice",
        "ImportKeyPair",
        "UpdateAccessKey",
        "UpdateAccountPasswordPolicy",
        "UploadSSHPublicKey",
        "federatedIdentityCredentials/write",
        "regenerateKey/action",
    ],
    burst: &[
        "GenerateAccessToken",
        "GenerateIdToken",
        "SignBlob",
        "SignJwt",
    ],
};

/// T1562.008 Disable or Modify Cloud Logs, T1562.001 Disable or Modify Tools, T1070 Indicator Removal.
const TAMPERING: Grades = Grades {
    blatant: &[
        "BatchDisableStandards",
        "DeleteAnalyzer",
        "DeleteConfigurationRecorder",
        "DeleteDeliveryChannel",
        "DeleteDetector",
        "DeleteEventDataStore",
        "DeleteFlowLogs",
        "DeleteMembers",
        "DeleteModelInvocationLoggingConfiguration",
        "DeletePublishingDestination",
        "DeleteResolverQueryLogConfig",
        "DeleteSink",
        "DeleteTrail",
        "DisableMacie",
        "DisableSecurityHub",
        "DisassociateFromAdministratorAccount",
        "DisassociateFromMasterAccount",
        "DisassociateMembers",
        "DisassociateResolverQueryLogConfig",
        "LeaveOrganization",
        "PutEventSelectors",
        "StopConfigurationRecorder",
        "StopLogging",
        "StopMonitoringMembers",
        "UpdateDetector",
        "UpdateTrail",
        "diagnosticSettings/delete",
    ],
    notable: &[
        "CreateExclusion",
        "CreateFilter",
        "CreateIPSet",
        "DeleteAlarms",
        "DeleteConfigRule",
        "DeleteGuardrail",
        "DeleteLog",
        "DeleteLogGroup",
        "DeleteLogStream",
        "DeleteLoggingConfiguration",
        "DeleteRuleGroup",
        "DeleteSubscriptionFilter",
        "DeleteWebACL",
        "DisableAlarmActions",
        "DisableRule",
        "PutBucketLogging",
        "PutRetentionPolicy",
        "UpdateIPSet",
        "UpdateSink",
        "flowLogs/delete",
        "locks/delete",
    ],
    burst: &[],
};

/// T1555.006 Cloud Secrets Management Stores, T1552 Unsecured Credentials.
const SECRETS: Grades = Grades {
    blatant: &[],
    notable: &["BatchGetSecretValue", "GetPasswordData", "listKeys/action"],
    burst: &[
        "AccessSecretVersion",
        "GetParameter",
        "GetParameterHistory",
        "GetParameters",
        "GetParametersByPath",
        "GetSecretValue",
        "SecretGet",
    ],
};

/// T1537 Transfer Data to Cloud Account, T1562.007 Disable or Modify Cloud Firewall, T1530 Data from Cloud Storage.
const SHARING: Grades = Grades {
    blatant: &[
        "CreateTrafficMirrorSession",
        "DeleteAccountPublicAccessBlock",
        "DeleteBucketPublicAccessBlock",
        "DeletePublicAccessBlock",
        "ModifyDBClusterSnapshotAttribute",
        "ModifyDBSnapshotAttribute",
        "ModifyImageAttribute",
        "ModifySnapshotAttribute",
    ],
    notable: &[
        "AddLayerVersionPermission",
        "AuthorizeDBSecurityGroupIngress",
        "AuthorizeSecurityGroupIngress",
        "CreateInstanceExportTask",
        "CreateNetworkAclEntry",
        "ExportImage",
        "PutBucketAcl",
        "PutBucketPolicy",
        "PutBucketPublicAccessBlock",
        "PutBucketReplication",
        "PutBucketWebsite",
        "ReplaceNetworkAclEntry",
        "SetIamPermissions",
        "SetRepositoryPolicy",
        "StartExportTask",
        "beginGetAccess/action",
        "createShareableLinks/action",
        "listAccountSas/action",
        "listServiceSas/action",
    ],
    burst: &[],
};

/// T1651 Cloud Administration Command, T1648 Serverless Execution, T1021.007 Cloud Services.
const EXECUTION: Grades = Grades {
    blatant: &[
        "EnableSerialConsoleAccess",
        "SendSSHPublicKey",
        "SendSerialConsoleSSHPublicKey",
    ],
    notable: &[
        "AddPermission",
        "CreateDevEndpoint",
        "ExecuteCommand",
        "ModifyInstanceAttribute",
        "ResumeSession",
        "SendCommand",
        "SetCommonInstanceMetadata",
        "SetMetadata",
        "StartAutomationExecution",
        "StartSession",
        "UpdateFunctionCode",
        "UpdateFunctionConfiguration",
        "UpdateNotebookInstanceLifecycleConfig",
        "extensions/write",
        "runCommand/action",
    ],
    burst: &[],
};

/// T1485 Data Destruction, T1486 Data Encrypted for Impact, T1490 Inhibit System Recovery.
const DESTRUCTION: Grades = Grades {
    blatant: &[
        "DeleteBackupVault",
        "DeleteImportedKeyMaterial",
        "DestroyCryptoKeyVersion",
        "DisableEbsEncryptionByDefault",
        "DisableKey",
        "ScheduleKeyDeletion",
    ],
    notable: &[
        "DeleteBucket",
        "DeleteDBCluster",
        "DeleteDBInstance",
        "DeleteDBSnapshot",
        "DeleteRecoveryPoint",
        "DeleteSnapshot",
        "PutBucketLifecycle",
        "PutBucketLifecycleConfiguration",
        "PutBucketVersioning",
        "PutKeyPolicy",
    ],
    burst: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn check(route: &str, want: Option<(PrivilegeClass, Grade)>) {
        let got = classify_action(route).map(|privilege| (privilege.class, privilege.grade));
        assert_eq!(got, want, "{route}");
    }

    #[test]
    fn actions_of_the_large_clouds_are_known_by_name() {
        check(
            "iam.amazonaws.com/CreateUser",
            Some((PrivilegeClass::Accounts, Grade::Blatant)),
        );
        check(
            "cloudtrail.amazonaws.com/StopLogging",
            Some((PrivilegeClass::Tampering, Grade::Blatant)),
        );
        check(
            "lambda.amazonaws.com/UpdateFunctionCode20150331v2",
            Some((PrivilegeClass::Execution, Grade::Notable)),
        );
        check(
            "secretsmanager.amazonaws.com/GetSecretValue",
            Some((PrivilegeClass::Secrets, Grade::Burst)),
        );
        check(
            "google.iam.admin.v1.CreateServiceAccountKey",
            Some((PrivilegeClass::Credentials, Grade::Blatant)),
        );
        check(
            "Microsoft.Authorization/roleAssignments/write",
            Some((PrivilegeClass::Accounts, Grade::Blatant)),
        );
        check(
            "MICROSOFT.AUTHORIZATION/ROLEASSIGNMENTS/WRITE",
            Some((PrivilegeClass::Accounts, Grade::Blatant)),
        );
        check(
            "v1.compute.disks.setIamPolicy",
            Some((PrivilegeClass::Accounts, Grade::Notable)),
        );
        check(
            "GenerateAccessToken",
            Some((PrivilegeClass::Credentials, Grade::Burst)),
        );
        check(
            "ec2.amazonaws.com/ModifySnapshotAttribute",
            Some((PrivilegeClass::Sharing, Grade::Blatant)),
        );
    }

    #[test]
    fn everyday_actions_and_names_of_routes_are_not() {
        for route in [
            "ec2.amazonaws.com/DescribeInstances",
            "s3.amazonaws.com/ListBuckets",
            "orders-read",
            "Microsoft.Compute/virtualMachines/write",
            "",
            "/",
        ] {
            check(route, None);
        }
    }

    #[test]
    fn no_action_is_in_two_lists() {
        let mut names: Vec<&str> = ACTIONS
            .iter()
            .flat_map(|grades| [grades.blatant, grades.notable, grades.burst])
            .flatten()
            .copied()
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
