//! `/api/auth/`: one file for each use case of a client, with its routes.

mod admission;
pub mod bearers;
mod codes;
mod credentials;
mod deletion;
mod export;
mod login;
mod me;
mod otp_login;
mod password_reset;
mod reauthentication;
mod register;
mod resend;
pub mod session;
mod sessions;
mod verify;

use crate::route::Routes;

/// The routes of this folder; login by code only if it is enabled.
#[must_use]
pub fn router(otp_login: bool) -> Routes {
    let optional = if otp_login {
        otp_login::router()
    } else {
        Routes::new()
    };
    optional
        .merge(register::router())
        .merge(verify::router())
        .merge(resend::router())
        .merge(login::router())
        .merge(password_reset::router())
        .merge(deletion::router())
        .merge(sessions::router())
        .merge(me::router())
        .merge(export::router())
        .merge(credentials::router())
}
