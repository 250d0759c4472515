#!/bin/sh
# Makes a login for each role that keeps rows, and its schema. Run once by the image, on an empty volume.
set -eu
psql --username=postgres --set=ON_ERROR_STOP=1 <<'SQL'
\getenv users POSTGRES_USERS_PASSWORD
\getenv text_image POSTGRES_TEXT_IMAGE_PASSWORD
\getenv tts POSTGRES_TTS_PASSWORD
CREATE DATABASE atelier;
REVOKE ALL ON DATABASE atelier FROM PUBLIC;
\connect atelier
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE ROLE atelier_users LOGIN PASSWORD :'users';
CREATE ROLE atelier_text_image LOGIN PASSWORD :'text_image';
CREATE ROLE atelier_tts LOGIN PASSWORD :'tts';
GRANT CONNECT ON DATABASE atelier TO atelier_users, atelier_text_image, atelier_tts;
CREATE SCHEMA users AUTHORIZATION atelier_users;
CREATE SCHEMA "text-image" AUTHORIZATION atelier_text_image;
CREATE SCHEMA tts AUTHORIZATION atelier_tts;
SQL
