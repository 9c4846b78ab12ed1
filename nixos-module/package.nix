# The package: the program, its completions and its manual pages.
{
  lib,
  rustPlatform,
  installShellFiles,
  stdenv,
}:
let
  manifest = (lib.importTOML ../Cargo.toml).package;
in
rustPlatform.buildRustPackage {
  pname = manifest.name;
  inherit (manifest) version;

  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../Cargo.lock
      ../Cargo.toml
      ../build.rs
      ../config.example.yaml
      ../migrations
      ../src
      # Cargo looks whether the targets that it knows of are there.
      ../tests
    ];
  };
  cargoLock.lockFile = ../Cargo.lock;

  # How SQLite is compiled; cargo reads it there itself where the whole tree is.
  env = { inherit ((lib.importTOML ../.cargo/config.toml).env) LIBSQLITE3_FLAGS; };

  nativeBuildInputs = [ installShellFiles ];

  # The other tests want homeservers and IRC servers, and run in scripts/test.
  cargoTestFlags = [ "--lib" ];

  postInstall = lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    mkdir man
    $out/bin/towline man --directory man
    installManPage man/*.1
    installShellCompletion --cmd towline \
      --bash <($out/bin/towline completions bash) \
      --fish <($out/bin/towline completions fish) \
      --zsh <($out/bin/towline completions zsh)
  '';

  meta = {
    inherit (manifest) description;
    license = lib.licenses.asl20;
    mainProgram = "towline";
    platforms = lib.platforms.linux;
  };
}
