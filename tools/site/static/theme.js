/*
 * theme.js: a reader who prefers dark pages gets them. Debian's furo has the
 * dark colours, but does not choose them.
 *
 * SPDX-License-Identifier: MIT
 */
document.addEventListener("DOMContentLoaded", function () {
    const theme = document.body.dataset;

    if (theme.theme === "auto" &&
        window.matchMedia("(prefers-color-scheme: dark)").matches)
        theme.theme = "dark";
});
