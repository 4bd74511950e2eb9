//! A certificate made on the spot.

use std::{io::Write as _, sync::Arc};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

/// A certificate for `localhost` and 127.0.0.1, signed by itself: the server's side of it, and
/// the file to trust it by.
pub fn certificate() -> (TlsAcceptor, tempfile::NamedTempFile) {
    certificate_until(4096)
}

/// The same, good until the end of a year.
pub fn certificate_until(year: i32) -> (TlsAcceptor, tempfile::NamedTempFile) {
    let names = [String::from("localhost"), String::from("127.0.0.1")];
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 12, 31);
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(cert.pem().as_bytes()).unwrap();
    (TlsAcceptor::from(Arc::new(config)), file)
}
