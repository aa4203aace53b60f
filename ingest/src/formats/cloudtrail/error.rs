//! The HTTP status that an AWS error code stands for.
//!
//! Codes differ from service to service (`AccessDenied`, `AccessDeniedException`, `Client.UnauthorizedOperation`), and
//! there is no list of them all, so they are told by the words in them. The common ones are in "Common errors" of the API
//! references and in the error codes of EC2 and S3.

/// Nobody knows who called: the credential is wrong, expired or missing.
pub(super) const UNAUTHENTICATED: u64 = 401;

const UNAUTHENTICATED_WORDS: [&str; 13] = [
    "AuthFailure",
    "ExpiredToken",
    "FailedAuthentication",
    "IDPRejectedClaim",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidIdentityToken",
    "InvalidToken",
    "MissingAuthenticationToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClient",
];
const THROTTLED_WORDS: [&str; 7] = [
    "Throttl",
    "RequestLimitExceeded",
    "TooManyRequests",
    "SlowDown",
    "ThroughputExceeded",
    "BandwidthLimitExceeded",
    "RateExceeded",
];
const DENIED_WORDS: [&str; 8] = [
    "AccessDenied",
    "Unauthorized",
    "NotAuthorized",
    "Forbidden",
    "AuthorizationError",
    "AccessDisabled",
    "OptInRequired",
    "NotPermitted",
];
const NOT_FOUND_WORDS: [&str; 6] = [
    "NoSuch",
    "NotFound",
    "NonExistent",
    "DoesNotExist",
    "UnknownResource",
    "NotExist",
];
const SERVER_WORDS: [&str; 3] = ["Internal", "Unavailable", "ServiceFailure"];

/// The status of a call that ended with this error.
pub(in crate::formats) fn status(code: &str) -> u64 {
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
    if has(&UNAUTHENTICATED_WORDS) {
        UNAUTHENTICATED
    } else if has(&THROTTLED_WORDS) {
        429
    } else if has(&DENIED_WORDS) {
        403
    } else if has(&NOT_FOUND_WORDS) {
        404
    } else if code.starts_with("Server.") || has(&SERVER_WORDS) || code == "ServiceException" {
        500
    } else {
        400
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: u64, codes: &[&str]) {
        for code in codes {
            assert_eq!(status(code), expected, "{code}");
        }
    }

    #[test]
    fn a_refused_permission_is_told_from_a_refused_credential() {
        check(
            403,
            &[
                "AccessDenied",
                "AccessDeniedException",
                "Client.UnauthorizedOperation",
                "UnauthorizedOperation",
                "UnauthorizedException",
                "NotAuthorizedException",
                "AuthorizationErrorException",
                "KMSAccessDeniedException",
                "OptInRequired",
            ],
        );
        check(
            401,
            &[
                "InvalidClientTokenId",
                "Client.AuthFailure",
                "UnrecognizedClientException",
                "SignatureDoesNotMatch",
                "ExpiredToken",
                "ExpiredTokenException",
                "MissingAuthenticationTokenException",
            ],
        );
    }

    #[test]
    fn every_other_error_has_its_class() {
        check(
            404,
            &[
                "NoSuchBucket",
                "NoSuchEntityException",
                "ResourceNotFoundException",
                "Client.InvalidInstanceID.NotFound",
                "AWS.SimpleQueueService.NonExistentQueue",
                "TrailNotFoundException",
            ],
        );
        check(
            429,
            &[
                "ThrottlingException",
                "Throttling",
                "Client.RequestLimitExceeded",
                "TooManyRequestsException",
                "SlowDown",
                "ProvisionedThroughputExceededException",
            ],
        );
        check(
            500,
            &[
                "InternalFailure",
                "InternalErrorException",
                "Server.InsufficientInstanceCapacity",
                "ServiceUnavailable",
                "ServiceException",
            ],
        );
        check(
            400,
            &[
                "ValidationException",
                "InvalidParameterValue",
                "EntityAlreadyExistsException",
                "LimitExceededException",
                "Client.DryRunOperation",
                "",
            ],
        );
    }
}
