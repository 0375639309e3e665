"""A lesson as an assignment of nbgrader: conversion, the kernel in the sandbox, and who decides on marks."""
