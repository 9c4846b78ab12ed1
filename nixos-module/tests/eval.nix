# Evaluates the module in one of the cases, by name, or in a module of one's own: all of it: what nobody asks for is never computed, and its errors would
# pass unseen.
{ case, package }:
let
  lib = import ./lib.nix;
  nixos = import ./nixos.nix { inherit lib package; };
  config = lib.evalModules {
    modules = [
      { inherit (nixos) options; }
      ../.
      (if builtins.isString case then (import ./cases.nix).${case} else case)
    ];
    specialArgs = { inherit (nixos) pkgs; };
  };

  text =
    value:
    if value == true then
      "true"
    else if value == false then
      "false"
    else
      toString value;
  # As NixOS writes them: a line for each value of a list, but all units of a dependency in one.
  line =
    key: value:
    if builtins.isList value then map (one: "${key}=${text one}") value else [ "${key}=${text value}" ];
  section = name: values: [ "[${name}]" ] ++ builtins.concatLists (lib.mapAttrsToList line values);
  ofUnit = unit: {
    Description = unit.description;
    Wants = text unit.wants;
    Requires = text unit.requires;
    PartOf = text unit.partOf;
    Before = text unit.before;
    After = text unit.after;
  };
  file = lines: builtins.concatStringsSep "\n" lines + "\n";
  service = unit: file (section "Unit" (ofUnit unit) ++ section "Service" unit.serviceConfig);
  socket =
    unit:
    file (section "Unit" (ofUnit unit) ++ section "Socket" { ListenStream = unit.listenStreams; });
  named =
    suffix: f: units:
    lib.mapAttrsToList (name: unit: {
      name = name + suffix;
      text = f unit;
      inherit (unit)
        wantedBy
        requiredBy
        reloadTriggers
        restartTriggers
        ;
    }) units;
in
{
  inherit (config) environment networking users;
  services = builtins.removeAttrs config.services [ "towline" ];
  # Where it is off, its settings are nowhere.
  towline = lib.optionalAttrs config.services.towline.enable config.services.towline;
  failed = map (a: a.message) (builtins.filter (a: !a.assertion) config.assertions);
  units =
    named ".service" service config.systemd.services ++ named ".socket" socket config.systemd.sockets;
}
