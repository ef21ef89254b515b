// Where the static page finds anywidget: beside this script, never on another server.
require.config({ paths: { anywidget: new URL("vendor/widgets/anywidget", document.currentScript.src).href } });
