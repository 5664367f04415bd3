"""What S3 and botocore say, in plain words and in the classes that a job acts on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from boto3.exceptions import Boto3Error
from botocore import exceptions as boto_errors
from botocore.parsers import ResponseParserError
from s3transfer.exceptions import (  # type: ignore[import-untyped]  # boto3 lets some of them through
    RetriesExceededError,
    S3DownloadFailedError,
    S3ValidationError,
)
from urllib3.exceptions import HTTPError

from jobs.errors import CredentialsError, NotFoundInStoreError, StorageError, StorageUnavailableError
from jobs.storage.s3_client import DAMAGED, UNDECIDED, client, endpoint
from jobs.storage.uris import shown

_ABSENT = {"NoSuchKey", "404"}
_REFUSED = {"AccessDenied", "AllAccessDisabled", "403"}
_BAD_CREDENTIALS = {
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
    "InvalidSecurity", "NotSignedUp",
}  # fmt: skip
_OTHER_REGION = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
_WRONG_CLOCK = {"RequestTimeTooSkewed", "RequestExpired"}
_UNSUPPORTED = {"NotImplemented", "501"}
_SPOILED_UPLOAD = {"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch"}
_TRANSIENT = {"RequestTimeout", "SlowDown", "Throttling"}  # whatever their status
_NO_CREDENTIALS = (
    boto_errors.NoCredentialsError,
    boto_errors.PartialCredentialsError,
    boto_errors.CredentialRetrievalError,
    boto_errors.UnknownCredentialError,
    boto_errors.TokenRetrievalError,
    boto_errors.InvalidConfigError,
    boto_errors.SSOError,
)
_DAMAGED_IN_TRANSFER = (
    boto_errors.IncompleteReadError,
    boto_errors.ResponseStreamingError,
    boto_errors.FlexibleChecksumError,
    ResponseParserError,
    HTTPError,  # a break in the body of an error; botocore lets it through
    RetriesExceededError,
    S3DownloadFailedError,
    S3ValidationError,
)
_UNREACHABLE = (boto_errors.ConnectionError, boto_errors.HTTPClientError)
_CHECK_CREDENTIALS = (
    "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN if they are temporary), "
    "or give the machine a role, on every node; for a public bucket set AWS_NO_SIGN_REQUEST=1"
)


@contextmanager
def plain_errors(permission: str, bucket: str, name: str) -> Iterator[None]:
    """Turn what botocore and boto3 raise into a `StorageError` in plain words.

    The original is left out, text and chain: botocore quotes headers, proxies and credential helpers in some.
    """
    uri = shown(f"s3://{bucket}/{name}")
    try:
        yield
    except boto_errors.ClientError as error:
        raise _explain_refusal(error, permission, bucket, uri) from None
    except (boto_errors.BotoCoreError, Boto3Error, *_DAMAGED_IN_TRANSFER) as error:
        raise _explain_failure(error, permission, uri) from None


def code_of(error: boto_errors.ClientError) -> str:
    """Return the error code that the store answered with, such as 'PreconditionFailed'; a bare status as its digits."""
    code: str = error.response.get("Error", {}).get("Code", "")
    return code


def _explain_refusal(  # noqa: PLR0911 (one per cause)
    error: boto_errors.ClientError, permission: str, bucket: str, uri: str
) -> StorageError:
    """Explain the error that the store answered with."""
    code, words = code_of(error), shown(error.response.get("Error", {}).get("Message") or "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == DAMAGED or code in _SPOILED_UPLOAD:
        return StorageUnavailableError(
            f"{uri} arrived incomplete or damaged, again and again ({permission}); try later"
        )
    if code in _UNSUPPORTED:
        return StorageError(f"the store at {endpoint()} cannot do what the job needs: {permission} on {uri}: {words}")
    if code in UNDECIDED or code in _TRANSIENT or status in (408, 429) or status >= 500:
        return StorageUnavailableError(f"{endpoint()} cannot do {permission} on {uri} for now: {code}: {words}")
    if code in _WRONG_CLOCK:
        return StorageUnavailableError(f"{endpoint()} has another time than this machine ({code}); set its clock")
    if error.operation_name not in client().meta.method_to_api_mapping.values():  # of the service that lends them
        return CredentialsError(f"no AWS credentials: {error.operation_name} failed: {code}; {_CHECK_CREDENTIALS}")
    if code in _BAD_CREDENTIALS:
        return CredentialsError(f"{endpoint()} does not accept the credentials ({code}); {_CHECK_CREDENTIALS}")
    if code in _ABSENT:
        return NotFoundInStoreError(f"{uri} does not exist")
    if code == "NoSuchBucket":
        return StorageError(f"the bucket {bucket!r} does not exist at {endpoint()}; create it or correct the URI {uri}")
    if code in _REFUSED:
        return StorageError(
            f"access denied: {permission} on {uri}. Grant it to the job's credentials; s3:ListBucket too, without "
            f"which S3 denies access to whatever does not exist. The store says: {words}"
        )
    if code in _OTHER_REGION:
        return StorageError(f"the bucket {bucket!r} is in another region ({code}); set AWS_DEFAULT_REGION to it")
    return StorageError(f"{permission} on {uri} failed: {code or 'unknown error'}: {words}")


def _explain_failure(error: Exception, permission: str, uri: str) -> StorageError:  # noqa: PLR0911 (one per cause)
    """Explain why there was no answer, or none that could be used."""
    kind = type(error).__name__
    if isinstance(error, _NO_CREDENTIALS):
        return CredentialsError(f"no usable AWS credentials ({kind}); {_CHECK_CREDENTIALS}")
    if isinstance(error, boto_errors.ProfileNotFound):
        return CredentialsError(f"{error}; correct AWS_PROFILE or configure the profile on every node")
    if isinstance(error, boto_errors.ParamValidationError):
        return StorageError(f"{uri} is not a valid S3 URI")
    if isinstance(error, _DAMAGED_IN_TRANSFER):
        return StorageUnavailableError(f"{uri} arrived incomplete or damaged ({kind}); try later")
    if type(error) is boto_errors.HTTPClientError and isinstance(_cause(error), ValueError):
        return CredentialsError(f"no request to {endpoint()} can be made; look for line ends in the AWS credentials")
    if isinstance(error, _UNREACHABLE):
        return StorageUnavailableError(
            f"cannot reach {endpoint()} ({kind}); check AWS_ENDPOINT_URL_S3, AWS_DEFAULT_REGION and the network"
        )
    return CredentialsError(f"{permission} on {uri} failed ({kind}); check the AWS settings of this machine")


def _cause(error: Any) -> object:
    """Return the exception that botocore met while it sent a request."""
    return error.kwargs.get("error")
