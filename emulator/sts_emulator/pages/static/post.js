// The HTTP-POST binding: hand the response over without a click.
document.getElementById("saml").submit();
